"""The native step on processors with narrower vectors than this one's may have."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import sys
from specchat.engine import native
native.FLAGS = tuple(sys.argv[1] if f == "-march=native" else f for f in native.FLAGS)
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "tests/engine/native/test_native.py"]))
"""


@pytest.mark.parametrize("processor", ["x86-64", "haswell"])
def test_the_native_step_is_right_on_older_processors(processor: str) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("builds for x86-64")
    if processor == "haswell" and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no AVX2")
    done = subprocess.run(
        [sys.executable, "-c", RUN, f"-march={processor}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
