"""Whether an answer is right: it holds what its sentences hold, and no specific of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from specchat.evidence.declines import declines
from specchat.training.assistant.examples.example import Example
from specchat.training.assistant.examples.talk import Talk

LEAST_WORDS = 0.7  # of a needed sentence's words, where it has no specific of its own

_SPECIFIC = re.compile(r"[\w@+£$€%./:°&>-]*\d[\w@+£$€%./:°-]*|\S+@\S+|\bwww\.\S+|\S+\.example\S*")
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w&-]+")
_WORD = re.compile(r"[a-z']{3,}")


@dataclass(frozen=True)
class Verdict:
    """What there is to say about one answer."""

    kind: str
    right: bool
    quoted: bool  # every needed sentence stands in it word for word
    declined: bool
    unsupported: tuple[str, ...]  # numbers and addresses that nothing it was given holds
    grounded: bool  # it was given a page or an order


def judge(example: Example, answer: str, talk: Talk) -> Verdict:
    """The answer to an example. Where there is nothing to quote, right is what is said to such
    questions: to what is not known, that it is not."""
    unsupported = tuple(found for found in specifics(answer) if not _held(found, _known(example)))
    declined = declines(answer)
    if example.needed:
        right = all(_conveyed(sentence, answer) for sentence in example.needed)
    elif example.kind == "unknown":
        right = declined
    else:
        right = _topic_of(answer, talk) == example.kind and not declined
    return Verdict(
        kind=example.kind,
        right=right and not unsupported,
        quoted=bool(example.needed) and all(said in answer for said in example.needed),
        declined=declined,
        unsupported=unsupported,
        grounded=example.grounded,
    )


def specifics(text: str) -> list[str]:
    """Numbers, prices, times, addresses: what must not be made up."""
    return [found.strip(".,:;-") for found in _SPECIFIC.findall(text)]


def _known(example: Example) -> str:
    given = example.given
    texts: Iterable[str] = (
        given.name, given.description, example.question, *given.orders,
        *(text for passage in given.passages for text in passage),
        *(text for turn in given.history for text in turn),
    )  # fmt: skip
    return "\n".join(texts)


def _held(specific: str, text: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(specific)}(?!\w)", text))


def _conveyed(sentence: str, answer: str) -> bool:
    """Whether the answer says what the sentence says: its specifics and names, or its words."""
    if sentence in answer:
        return True
    marks = [*specifics(sentence), *_NAME.findall(sentence)]
    words, said = set(_WORD.findall(sentence.lower())), set(_WORD.findall(answer.lower()))
    share = len(words & said) / max(1, len(words))
    if marks:
        return all(_held(mark, answer) for mark in marks) and share >= LEAST_WORDS / 2
    return share >= LEAST_WORDS


def _topic_of(answer: str, talk: Talk) -> str:
    """The topic whose answers have most words in common with this one."""
    said = set(_WORD.findall(answer.lower()))

    def likeness(text: str) -> float:
        words = set(_WORD.findall(text.lower()))
        return len(words & said) / max(1, len(words | said))

    found = max(talk.topics, key=lambda topic: max(map(likeness, topic.answers)))
    return found.id
