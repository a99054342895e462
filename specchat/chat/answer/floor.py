"""The floor under an answer: never worse than the page that fits, and no invented specific stays.

A small model declines what stands before it, mixes pages, leaves out and adds. Where it does, the
page is the answer in its own words; where there is no page, the answer is that nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from specchat.chat import wording as say
from specchat.chat.answer.check import (
    check,
    claims_to_be_a_person,
    copies_instruction,
    promises,
)
from specchat.chat.answer.grounds import Grounds
from specchat.chat.answer.intent import talk_of
from specchat.chat.company.orders import told
from specchat.chat.knowledge import Passage
from specchat.chat.knowledge.sentences import sentences
from specchat.chat.types import Source
from specchat.evidence.declines import declines
from storage import TurnGrounds
from storage.records import AnswerState

FITS = 0.4
"""The chance from which a page is believed against a model that says it does not know."""

_TO_DO = re.compile(
    r"\b(?:change|cancel|return|exchange|swap|replace|redirect|edit|correct|add|remove|"
    r"send (?:\w+ )?back|give (?:\w+ )?back|pick (?:\w+ )?up|wrong|missing|broken?|damaged|cracked|"
    r"smashed|torn|scratched|leak\w*|faulty|defective|stopped working|"
    r"(?:does|did)(?:n['’]?t| not) (?:work|fit)|invoice|receipt|"
    r"ändern|stornieren|umtauschen|ersetzen|hinzufügen|zurück(?:geben|schicken|senden)|falsch\w*|"
    r"fehlt|kaputt\w*|defekt\w*|beschädigt\w*|zerbrochen\w*|rechnung|quittung)\b",
    re.IGNORECASE,
)
"""Something is to be done about an order, which its record does not tell how."""

_NUMBER = re.compile(r"\w*\d[\w.,]*\w|\d")
_SHARED_WORDS = 4  # in a row, that show where an answer comes from


@dataclass(frozen=True, slots=True)
class Settled:
    """An answer as it is to be shown."""

    text: str
    replaced_by: str  # source of the text: "" the model's own, "page", "records" or "chat"
    sources: tuple[Source, ...]  # those that it used, in its order
    grounds: TurnGrounds


def settled(answer: str, grounds: Grounds) -> Settled:
    """What is shown in the place of `answer`: the answer itself unless something is wrong."""
    found = check(answer, grounds.known, grounds.records or (grounds.question, *grounds.said))
    talk = grounds.intent != "question"
    wrong = (
        bool(found.unsupported)
        or not answer.strip()
        or (talk and declines(answer))
        or copies_instruction(answer)
        or claims_to_be_a_person(answer)
        or promises(answer, (*grounds.known, *grounds.records))
    )
    declined = declines(answer)
    left_out = grounds.verbatim and any(lacks(answer, each) for each in grounds.excerpts)
    text, replaced_by = answer, ""
    both = _asks_both(grounds)
    silent = grounds.verbatim and not tells(answer, grounds.records)
    if grounds.records and (wrong or declined or silent or (left_out and both)):
        text, replaced_by = _from_records(grounds), "records"
    elif grounds.records:
        pass  # a page beside an order need not be said
    elif grounds.passages and (wrong or (grounds.chance >= FITS if declined else left_out)):
        text, replaced_by = page_words(grounds), "page"
    elif wrong:
        text, replaced_by = _fixed(grounds), "chat"
    state = _state(grounds, replaced_by, declined and not replaced_by)
    used = used_passages(text, grounds.passages)
    if state == "grounded" and not used:
        used = list(grounds.passages[:1])  # in other words than the page's
    return Settled(
        text,
        replaced_by,
        tuple(Source(page.id, page.title, page.text) for page in used),
        TurnGrounds(
            state=state,
            retrieved=dict(grounds.retrieved),
            unsupported=found.unsupported,
        ),
    )


def replied(text: str, grounds: Grounds) -> Settled:
    """What the chat says without asking the model: pages in their own words, what a colleague
    wrote, or that nobody knows."""
    used = tuple(Source(page.id, page.title, page.text) for page in grounds.passages)
    state = _state(grounds, "page" if used else "", declined=not used)
    state = "grounded" if grounds.told and not used else state
    return Settled(text, "", used, TurnGrounds(state=state, retrieved=dict(grounds.retrieved)))


def _state(grounds: Grounds, replaced_by: str, declined: bool) -> AnswerState:
    if grounds.intent != "question":
        return "talk"
    if replaced_by == "page":
        return "page"
    if grounds.lookups:
        return "order"
    return "grounded" if grounds.passages and not declined else "unknown"


def _fixed(grounds: Grounds) -> str:
    """What is said where there is nothing to say."""
    if grounds.intent == "person":
        return say.PERSON
    return say.UNKNOWN if grounds.intent == "question" else say.TALK[talk_of(grounds.question)]


def _from_records(grounds: Grounds) -> str:
    """The orders as their records have them, and the page where it is asked for too."""
    said = " ".join(map(told, grounds.lookups))
    return f"{said}\n\n{page_words(grounds)}" if _asks_both(grounds) else said


def _asks_both(grounds: Grounds) -> bool:
    """True where a message asks about an order and something that a page answers."""
    asks = grounds.parts > 1 or _TO_DO.search(grounds.question) is not None
    return asks and bool(grounds.passages) and grounds.chance >= FITS


# -- a page in its own words -------------------------------------------------------------------


def page_words(grounds: Grounds) -> str:
    """What the pages say, word for word."""
    return "\n\n".join(grounds.excerpts)


def tells(answer: str, records: Sequence[str]) -> bool:
    """True where an answer has a number of every order's record: its own, a day, a total."""
    said = set(_NUMBER.findall(answer))
    return all(said & set(_NUMBER.findall(record)) for record in records)


def lacks(answer: str, excerpt: str) -> bool:
    """True where an answer leaves out a sentence of what it was to quote."""
    said = " ".join(_words(answer))
    return any(" ".join(_words(each)) not in said for each in sentences(excerpt))


# -- where an answer comes from ----------------------------------------------------------------


def used_passages(answer: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that an answer shares several words in a row with, in the answer's order."""
    words = _words(answer)
    places: dict[int, int] = {}
    for number, page in enumerate(passages):
        runs = _runs(_words(page.text))
        shared = [place for place, run in enumerate(_runs_in_order(words)) if run in runs]
        if shared:
            places[number] = shared[0]
    return [passages[number] for number in sorted(places, key=lambda number: places[number])]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _runs(words: Sequence[str]) -> set[tuple[str, ...]]:
    return set(_runs_in_order(words))


def _runs_in_order(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Every few words in a row; of a very short text the text."""
    length = min(_SHARED_WORDS, max(1, len(words)))
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]
