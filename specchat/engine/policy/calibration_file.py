"""What drafts were worth, kept between runs: the first answers draft as well as later ones."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path

from specchat.engine.policy.calibration import Calibration
from specchat.engine.policy.regressions import Learned, Stand

log = logging.getLogger(__name__)

FORMAT = "specchat calibration 3"


def restore_calibration(path: Path, calibration: Calibration) -> bool:
    """Begin with what `save_calibration` wrote. A missing file is none; one that is damaged or of
    another version is left aside, with a warning. True when something was restored."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["format"] != FORMAT:
            raise ValueError(f"the format is {stored['format']!r}, but {FORMAT!r} is read")
        calibration.restore([_learned(each) for each in stored["learned"]])
    except FileNotFoundError:
        return False
    except (OSError, KeyError, TypeError, ValueError) as error:
        log.warning("%s holds no calibration and is not used: %s", path, error)
        return False
    return True


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write what was learned, whole or not at all. A full disk costs it, nothing else."""
    learned = calibration.learned()
    if not learned:
        return
    draft = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = {"format": FORMAT, "learned": [asdict(each) for each in learned]}
        draft.write_text(json.dumps(stored), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        log.warning("%s cannot be written: %s", path, error)


def _learned(stored: dict[str, object]) -> Learned:
    stand, greedy = stored["stand"], stored["greedy"]
    if not isinstance(greedy, bool):
        raise ValueError(f"greedy is no truth value: {greedy!r}")
    return Learned(_stand(stand), greedy, _numbers(stored["weights"]), _numbers(stored["squares"]))


def _stand(stored: object) -> Stand:
    pairs = stored if isinstance(stored, list) else []
    stand = []
    for pair in pairs:
        if not (isinstance(pair, list) and list(map(type, pair)) == [str, int]):
            raise ValueError(f"no drafter's stand: {pair!r}")
        stand.append((pair[0], pair[1]))
    return tuple(stand)


def _numbers(stored: object) -> tuple[float, ...]:
    if not isinstance(stored, list) or not all(type(each) in (int, float) for each in stored):
        raise ValueError(f"no list of numbers: {stored!r}")
    return tuple(map(float, stored))
