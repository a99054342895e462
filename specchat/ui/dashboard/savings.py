"""The savings calculator: what the races would mean for many chats, assumptions in plain sight."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from specchat.evidence import pairs_of
from specchat.evidence.savings import Assumptions, Extrapolation, extrapolate
from specchat.ui.shared.format import known
from storage import RaceRow

NOTHING = (
    '<p class="sc-provenance" role="status">Nothing to extrapolate from yet: run a race, or '
    "Race all five.</p>"
)
ASSUMED = "It assumes answers like those raced, one at a time, on this machine."
IMPOSSIBLE = "Chats, answers per chat and the price must be numbers of at least 0."
"""What to say where `savings_html` raises ValueError."""


def savings_html(
    races: Sequence[RaceRow], assumed: Assumptions, currency: str, provenance: str
) -> str:
    """The extrapolation in one sentence, with what it stands on. Escaped.

    Raises:
        ValueError: an assumption is impossible.
    """
    found = extrapolate(pairs_of(races, "e2e_ms"), assumed)
    if not found.prompts:
        return NOTHING
    verb = "saved" if found.seconds >= 0 else "lost"
    said = f"{_span(abs(found.seconds))} of waiting {verb} over {assumed.chats:,.0f} chats"
    many = assumed.chats * assumed.answers_per_chat
    each = _each(found.seconds / many) if many else ""
    worth = (
        f"The machine time is worth {currency}{abs(found.cost):,.2f}."
        if assumed.price_per_hour
        else ""
    )
    return (
        '<div class="sc-headline" role="status">'
        '<p class="sc-sub"><strong>Extrapolation, not a measurement</strong></p>'
        f'<p class="sc-big">{escape(said)}</p>'
        f'<p class="sc-pairs">{escape(each)}</p>'
        f'<p class="sc-sub">{escape(_ground(found))}</p>'
        f'<p class="sc-sub">{ASSUMED} {escape(worth)}</p>'
        f'<p class="sc-provenance">{escape(provenance)}</p></div>'
    )


def _each(seconds: float) -> str:
    if seconds >= 0:
        return f"Each answer comes {seconds:.1f} s sooner."
    return f"Each answer comes {-seconds:.1f} s later."


def _ground(found: Extrapolation) -> str:
    prompts = f"{found.prompts} prompt{'' if found.prompts == 1 else 's'}"
    text = (
        f"From the median saving of {prompts}; without speculation the answers would take "
        f"{_span(found.plain_seconds)}"
    )
    if found.ci95.known:
        text += f"; 95 % interval {_span(found.ci95.low)} to {_span(found.ci95.high)}"
    else:
        text += "; an interval needs at least 6 different prompts"
    return text


def _span(seconds: float) -> str:
    if not known(seconds):
        return "–"
    if abs(seconds) >= 5_400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if abs(seconds) >= 120 else f"{seconds:.1f} s"
