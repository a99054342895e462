"""kill -9 of the whole app while customers ask. The long form: `make kills`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.soak.kills import run


def test_what_a_customer_has_seen_outlives_a_kill(tmp_path: Path) -> None:
    seen = run(tmp_path, kills=1, seed=3)
    assert seen.faults == []
    assert seen.kills == 1
    assert len(seen.starts_s) == 2
