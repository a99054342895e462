"""`make sbom`: what is installed and what weights come with it, as a CycloneDX file.

The packages are listed by cyclonedx-bom, with their licences; the weights, which no package manager
knows of, are added with their SHA-256.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specchat.pretrained import base, sentence_vectors
from specchat.pretrained.installed import installed_file, installed_version, sha256_of
from specchat.version import VERSION

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "assets" / "models"
LICENCE = "Apache-2.0"  # of all of them: assets/models/*/README.md, and the two bases' own pages


def main(out: Path) -> None:
    """Write the file; an earlier one is replaced."""
    out.parent.mkdir(parents=True, exist_ok=True)
    bill = json.loads(_environment())
    bill["components"] += weights()
    out.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")


def _environment() -> str:
    """What is installed where this runs. Checking it against the schema takes half a minute, which
    a test does for a part."""
    listed = (sys.executable, "-m", "cyclonedx_py", "environment", "--no-validate")
    options = ("--pyproject", str(ROOT / "pyproject.toml"), "--of", "JSON")
    done = subprocess.run((*listed, *options), check=True, capture_output=True, text=True)
    return done.stdout


def weights() -> list[dict[str, Any]]:
    """The weights that are installed or in the repository, as components."""
    own = sorted(MODELS.rglob("*.safetensors"))
    named = [(file.relative_to(ROOT).as_posix(), VERSION, file) for file in own]
    return [_component(*each) for each in (*_bases(), *named)]


def _bases() -> Iterator[tuple[str, str, Path]]:
    """Name, version and file of those that a package brings."""
    model = installed_file(base.DISTRIBUTION, base.GGUF_FILE)
    if model is not None:
        yield base.HUB_NAME, _version(base.DISTRIBUTION), model
    vectors = sentence_vectors.installed_model()
    if vectors is not None:
        name, brought_by = sentence_vectors.HUB_NAME, sentence_vectors.DISTRIBUTION
        yield name, _version(brought_by), vectors / "model.safetensors"


def _version(distribution: str) -> str:
    return f"{distribution}=={installed_version(distribution)}"


def _component(name: str, version: str, file: Path) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"weights:{name}",
        "name": name,
        "version": version,
        "hashes": [{"alg": "SHA-256", "content": sha256_of(file)}],
        "licenses": [{"license": {"id": LICENCE}}],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
