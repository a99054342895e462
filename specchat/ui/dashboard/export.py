"""The stored turns that the filters leave, as CSV and JSON; numbers and settings, no text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from storage import MetricRow, RaceRow

COLUMNS = tuple(field.name for field in fields(MetricRow))


def as_csv(rows: Sequence[MetricRow]) -> str:
    """One line a turn, newest first; lists and counts by source as JSON in their cells."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in asdict(row).items()})
    return out.getvalue()


def as_json(rows: Sequence[MetricRow], races: Sequence[RaceRow], note: str = "") -> str:
    """Turns, and which two of them each race put side by side; `note` says what is left out."""
    return json.dumps(
        {
            "turns": [asdict(row) for row in rows],
            "races": [
                {
                    "race_id": race.race_id,
                    "created_at": race.created_at,
                    "identical": race.identical,
                    "first": race.first,
                    "plain": race.plain.turn_id,
                    "speculative": race.speculative.turn_id,
                }
                for race in races
            ],
            **({"note": note} if note else {}),
        },
        default=str,
        indent=1,
    )


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (dict, list, tuple)) else value
