"""Load tests that were recorded with this code, and those that the user has made."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from specchat.bench.report import Report, to_json

log = logging.getLogger(__name__)

RECORDED = Path(__file__).resolve().parents[3] / "assets" / "benchmarks"
"""Where the runs lie that come with this code."""
NEWEST = 20
"""So many of the user's own runs are read."""
_KEYS = {"environment", "settings", "points", "comparisons", "summary"}


@dataclass(frozen=True, slots=True)
class LoadRun:
    """One stored report of `specchat bench load`."""

    name: str
    own: bool  # made by the user, not recorded with this code
    report: Report


def own_runs_directory() -> Path:
    """Where the user's runs lie."""
    return Path(platformdirs.user_data_dir("specchat")) / "benchmarks"


def keep_run(report: Report) -> Path:
    """Store a report among the user's runs and return its file.

    Raises:
        OSError: the data directory cannot be written.
    """
    directory = own_runs_directory()
    directory.mkdir(parents=True, exist_ok=True)
    moment = "".join(c for c in report["environment"]["started_at"][:19] if c.isdigit())
    file = directory / f"load-{moment}.json"
    draft = file.with_suffix(".part")
    draft.write_text(to_json(report) + "\n", encoding="utf-8")
    draft.replace(file)
    return file


def load_runs() -> list[LoadRun]:
    """The recorded runs and the user's newest ones, which come first. Damaged files are left out
    with a warning."""
    own = sorted(own_runs_directory().glob("load-*.json"), reverse=True)[:NEWEST]
    files = [(file, True) for file in own]
    files += [(file, False) for file in sorted(RECORDED.glob("load-*.json"))]
    runs = [_read(file, own) for file, own in files]
    return [run for run in runs if run is not None]


def _read(file: Path, own: bool) -> LoadRun | None:
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        log.warning("%s is no report of a load test: %s", file, error)
        return None
    if not isinstance(report, dict) or report.get("kind") != "load" or not report.keys() >= _KEYS:
        log.warning("%s is no report of a load test", file)
        return None
    return LoadRun(file.stem, own, report)
