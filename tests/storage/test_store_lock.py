"""Several processes, one file: whoever writes is alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from storage import StoreError, open_store
from tests.storage.stored_examples import turn

_ROOT = Path(__file__).resolve().parents[2]
_HOLD = """
import sys
from pathlib import Path
from storage.lock import alone_in
with alone_in(Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_writer_waits_for_another_process_and_then_writes(url: str, path: Path) -> None:
    with open_store(url) as store:
        conversation = store.create_conversation("ann")
        with _holder(path.parent) as other:
            store.record_turn(turn(conversation))
            assert not store.flush(0.3), "another process holds the file"
            assert store.health().lost == 0
            other.communicate("done\n")
            assert store.flush()
        assert len(store.turns(conversation)) == 1
        assert store.health().ok


def test_opening_beside_a_process_that_goes_on_writing_is_refused(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(url).close()
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 50)
    with _holder(path.parent) as other:
        with pytest.raises(StoreError, match="locked: another process is writing"):
            open_store(url)
        other.kill()
        other.wait()
        open_store(url).close()  # the lock went with the process


def _holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that has the lock of a folder."""
    command = [sys.executable, "-c", _HOLD, str(folder)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process
