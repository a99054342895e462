"""Customers at the whole app for a long time: what it holds must not grow, and what was erased must
be gone.

    python -m tests.faults.soak.soak --minutes 60 --folder soak/users

What was seen is kept in the folder, so that a run which is interrupted goes on where it was; the
report is written there, as `report.json` and `report.html`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from tests.faults.soak import rows
from tests.faults.soak.app import App, checkpoint, start
from tests.faults.soak.customer import Customer, Reply, Seen
from tests.faults.soak.report import MIB, figures, page
from tests.faults.soak.wire import Pages, Wire

_SAMPLES = 240  # over the whole time, and no more than one a second
_SHOWN_S = 60.0
_END_S = 180.0  # until the last answers are there and no page is held


class Soak:
    """One soak of so many seconds, over as many runs as it takes."""

    def __init__(self, folder: Path, seconds: float, *, users: int = 8) -> None:
        self.samples: list[dict[str, float]] = []
        self._folder, self._seconds, self._users = folder.resolve(), seconds, users
        self._database = self._folder / "chat.db"
        self._seen = Seen()
        self._spent_s = 0.0  # in earlier runs
        self._run = 1

    def run(self) -> dict[str, Any]:
        """Let them come until the time is over; the report, which is in the folder too."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._read()
        app = start(checkpoint(self._folder), self._database)
        try:
            self._serve(app)
            pages = _at_rest(app)
        finally:
            app.stop()
        report = self._report(pages, app.start_s)
        (self._folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        (self._folder / "report.html").write_text(page(report, self.samples))
        return report

    def _serve(self, app: App) -> None:
        began = time.monotonic() - self._spent_s
        every, next_sample, next_line = max(1.0, self._seconds / _SAMPLES), 0.0, _SHOWN_S
        customers = [
            Customer(app.url, f"{self._run}/{n}", self._seen, began, leaves=n % 2 == 0)
            for n in range(self._users)
        ]
        for customer in customers:
            customer.start()
        while (now := time.monotonic() - began) < self._seconds:
            assert app.process.poll() is None, f"the app ended: {self._database}"
            if now >= next_sample:
                self.samples.append({"at_s": now, "rss": app.rss_bytes(), "run": self._run})
                self._write(now)
                next_sample = now + every
            if now >= next_line:
                self._show(now)
                next_line = now + _SHOWN_S
            time.sleep(0.2)
        for customer in customers:
            customer.finish()
        for customer in customers:
            customer.join(_END_S)
            if customer.is_alive():
                self._seen.errors.append("a customer waits for an answer that does not end")

    def _show(self, now: float) -> None:
        print(
            f"{now / 60:.0f} of {self._seconds / 60:.0f} min, {len(self._seen.answers)} answers,"
            f" {self.samples[-1]['rss'] / MIB:,.0f} MiB, {len(self._seen.errors)} errors",
            flush=True,
        )

    def _report(self, pages: Pages, start_s: float) -> dict[str, Any]:
        seen = self._seen
        faults = [f"a customer: {error}" for error in seen.errors] + rows.faults(self._database)
        lost = rows.missing(self._database, seen.replies)
        faults += [f"not stored as it was seen: {reply}" for reply in lost]
        left = rows.left(self._database, seen.erased)
        faults += [f"{len(left)} of {len(seen.erased)} erased words are left: {left[:9]}"] * (
            left != []
        )
        if pages.free + pages.cached != pages.total:
            faults.append(f"pages are held though nobody asks: {pages}")
        if not seen.answers or not seen.erased:
            faults.append("nothing was seen or nothing erased: this proves nothing")
        return {
            "faults": faults,
            "minutes": round(self._seconds / 60, 2),
            "users": self._users,
            "runs": self._run,
            "start_s": round(start_s, 1),
            **figures(self.samples, seen.answers),
            "kept_replies": len(seen.replies),
            "erased_words": len(seen.erased),
            "actions": dict(sorted(seen.counts.items())),
            "pages": pages._asdict(),
        }

    # -- what an interrupted run leaves --------------------------------------------------------

    def _write(self, now: float) -> None:
        with self._seen.lock:
            told = {
                "spent_s": now,
                "run": self._run,
                "samples": self.samples,
                **{name: getattr(self._seen, name) for name in _KEPT},
            }
            text = json.dumps(told)
        half = self._folder / "soak.half"
        half.write_text(text)
        half.replace(self._folder / "soak.json")

    def _read(self) -> None:
        kept = self._folder / "soak.json"
        if not kept.exists():
            return
        told = json.loads(kept.read_text())
        self._spent_s, self._run, self.samples = told["spent_s"], told["run"] + 1, told["samples"]
        for name in _KEPT:
            setattr(self._seen, name, told[name])
        self._seen.replies = [
            reply
            for reply in (Reply(*each) for each in told["replies"])
            if reply not in rows.missing(self._database, [reply])
        ]  # the interruption came after the last time that this was written: some are undone since
        self._seen.answers = [(at, took) for at, took in told["answers"]]


_KEPT = ("replies", "erased", "answers", "counts", "errors")


def _at_rest(app: App) -> Pages:
    """The pages once nobody holds any, or after a while."""
    wire, deadline = Wire(app.url), time.monotonic() + _END_S
    wire.open()
    try:
        while (pages := wire.pages()).held + pages.shared and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        wire.close()
    return pages


def main() -> int:
    """Returns 0 when nothing was lost or left."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--users", type=int, default=8)
    given = parser.parse_args()
    report = Soak(given.folder, 60 * given.minutes, users=given.users).run()
    print(json.dumps(report, indent=2))
    print(f"{given.folder / 'report.html'}")
    return 1 if report["faults"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
