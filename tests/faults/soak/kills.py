"""The whole app killed under load, again and again: what customers have seen must be stored.

    python -m tests.faults.soak.kills --kills 120 --folder soak/kills --out soak/kills.json

What was seen is kept in the folder, so that a run which is interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.soak import rows
from tests.faults.soak.app import App, checkpoint, start
from tests.faults.soak.customer import Customer, Reply, Seen

_USERS = 4
_EARLIEST_S, _LATEST_S = 1.0, 6.0  # after the first customer has come
_JOIN_S = 150.0


@dataclass
class Kills:
    """What was seen so far, over all the app's lives."""

    seed: int
    kills: int = 0
    starts_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)  # each has to be stored


def run(folder: Path, kills: int, seed: int) -> Kills:
    """Kill the app so often, and look at the database once it has started again."""
    folder.mkdir(parents=True, exist_ok=True)
    kept, database = folder / "kills.json", folder / "chat.db"
    seen = _read(kept, seed)
    app = _started(folder, seen)
    try:
        while seen.kills < kills:
            seen.replies = _life(app, seen)
            seen.kills += 1
            _write(kept, seen)
            app = _started(folder, seen)
            seen.faults += [f"kill {seen.kills}: {fault}" for fault in _faults(database, seen)]
            _write(kept, seen)
            print(
                f"{seen.kills} of {kills} kills, {len(seen.replies)} replies, started in"
                f" {seen.starts_s[-1]:.1f} s, {len(seen.faults)} faults",
                flush=True,
            )
    finally:
        app.stop()
    return seen


def _started(folder: Path, seen: Kills) -> App:
    app = start(checkpoint(folder), folder / "chat.db")
    seen.starts_s.append(round(app.start_s, 2))
    return app


def _life(app: App, seen: Kills) -> list[Reply]:
    """Customers at the app until it is killed; the replies that are to be found afterwards."""
    life = f"{seen.seed}/{seen.kills}"
    known = Seen(replies=list(seen.replies))
    began = time.monotonic()
    customers = [Customer(app.url, f"{life}/{n}", known, began) for n in range(_USERS)]
    for customer in customers:
        customer.start()
    while not known.answers and time.monotonic() < began + _JOIN_S:
        time.sleep(0.05)
    time.sleep(random.Random(life).uniform(_EARLIEST_S, _LATEST_S))
    for customer in customers:
        customer.finish()  # first, so that what the kill breaks is no surprise
    early = list(known.errors)
    app.kill()
    for customer in customers:
        customer.join(_JOIN_S)
    seen.faults += [f"before kill {seen.kills + 1}: {error}" for error in early]
    if not known.answers:
        seen.faults.append(f"before kill {seen.kills + 1}: nobody saw a reply")
    return known.replies


def _faults(database: Path, seen: Kills) -> list[str]:
    lost = rows.missing(database, seen.replies)
    for reply in lost:
        seen.replies.remove(reply)  # told once
    return rows.faults(database) + [f"not stored as it was seen: {reply}" for reply in lost]


def _read(kept: Path, seed: int) -> Kills:
    if not kept.exists():
        return Kills(seed)
    told = json.loads(kept.read_text())
    return Kills(**{**told, "replies": [Reply(*each) for each in told["replies"]]})


def _write(kept: Path, seen: Kills) -> None:
    half = kept.with_suffix(".half")
    half.write_text(json.dumps(asdict(seen)))
    half.replace(kept)


def main() -> int:
    """Returns 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=120)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    seen = run(given.folder.resolve(), given.kills, given.seed)
    report = {
        "kills": seen.kills,
        "seed": seen.seed,
        "replies": len(seen.replies),
        "starts_s": {"least": min(seen.starts_s), "most": max(seen.starts_s)},
        "faults": seen.faults,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 1 if seen.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
