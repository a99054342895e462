"""How much personal data redaction finds, and how often it takes out what it should not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from specchat.bench.redaction.frames import Frame, RealMessages, frames
from specchat.bench.redaction.values import KEPT, MAKERS, values
from specchat.chat.redaction.redact import find
from specchat.chat.redaction.spans import Span

Finder = Callable[[str], list[Span]]

PERSONAL = tuple(kind for kind in MAKERS if kind not in KEPT)
"""Kinds of values that have to go."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message with the places in it that are personal."""

    text: str
    items: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Score:
    """Counts over the messages of one kind."""

    messages: int = 0
    hidden: int = 0  # messages with nothing personal left to read
    marks: int = 0  # what redaction took out
    right: int = 0  # of these: touches what is personal
    missed: list[str] = field(default_factory=list)  # what was still to be read, with its message
    wrong: list[str] = field(default_factory=list)  # what was taken out without need, the same

    @property
    def recall(self) -> float:
        """Messages of which nothing personal is left / messages."""
        return self.hidden / self.messages if self.messages else float("nan")

    @property
    def precision(self) -> float:
        """Right marks / marks."""
        return self.right / self.marks if self.marks else float("nan")


def messages(
    kind: str, count: int, seed: int, real: RealMessages | None = None
) -> Iterator[Labelled]:
    """`count` messages with a made-up value of a kind, the same for the same seed."""
    dice = random.Random(f"frames {kind} {seed}")
    pairs = zip(frames(kind, real, dice), values(kind, count, seed), strict=False)
    return (labelled(frame, value) for frame, value in islice(pairs, count))


def labelled(frame: Frame, value: str) -> Labelled:
    """A value in its frame. A part of it in braces is what is personal, else all of it."""
    text, items = frame.before, []
    parts = value.split("{") if "{" in value and "}" in value else ["", value + "}"]
    text += parts[0]
    for part in parts[1:]:
        secret, _, rest = part.rpartition("}")
        items.append((len(text), len(text) + len(secret)))
        text += secret + rest
    return Labelled(text + frame.after, tuple(items))


def score(labelled_messages: Iterable[Labelled], find: Finder = find) -> Score:
    """Find in every message and compare."""
    result = Score()
    for message in labelled_messages:
        spans = find(message.text)
        left = [item for item in message.items if not _covered(message.text, item, spans)]
        result.messages += 1
        result.hidden += not left
        result.missed += [_shown(message.text, *item) for item in left]
        for span in spans:
            result.marks += 1
            if any(span.start < end and start < span.end for start, end in message.items):
                result.right += 1
            else:
                result.wrong.append(f"{span.kind}: {_shown(message.text, span.start, span.end)}")
    return result


def unchanged(texts: Sequence[str], find: Finder = find) -> Score:
    """Texts without anything personal: each is right when nothing is taken out of it."""
    result = Score()
    for text in texts:
        spans = find(text)
        result.messages += 1
        result.hidden += not spans
        result.wrong += [f"{span.kind}: {_shown(text, span.start, span.end)}" for span in spans]
    return result


def kept(labelled_messages: Iterable[Labelled], find: Finder = find) -> Score:
    """Messages with a value that has to stay, as it is."""
    result = Score()
    for message in labelled_messages:
        spans = find(message.text)
        hurt = [
            span
            for span in spans
            if any(span.start < end and start < span.end for start, end in message.items)
        ]
        result.messages += 1
        result.hidden += not hurt
        result.wrong += [f"{s.kind}: {_shown(message.text, s.start, s.end)}" for s in hurt]
    return result


@dataclass(frozen=True, slots=True)
class Report:
    """The whole measure."""

    personal: Mapping[str, Score]  # kind -> messages with such a value
    kept: Mapping[str, Score]  # kind of value that has to stay -> messages with one
    unchanged: Score | None  # real messages as they are; None without any
    left_out: int = 0  # real messages that hold something personal of their own


def report(
    count: int, seed: int, real: RealMessages | None, texts: int, find: Finder = find
) -> Report:
    """`count` messages of each kind, and `texts` real ones as they are."""
    dice = random.Random(seed)
    clean = dice.sample(real.clean, min(texts, len(real.clean))) if real else []
    return Report(
        {kind: score(messages(kind, count, seed, real), find) for kind in PERSONAL},
        {kind: kept(messages(kind, count, seed, real), find) for kind in KEPT},
        unchanged(clean, find) if real else None,
        real.left_out if real else 0,
    )


def _covered(text: str, item: tuple[int, int], spans: list[Span]) -> bool:
    return all(
        any(span.start <= place < span.end for span in spans)
        for place in range(*item)
        if text[place].isalnum()
    )


def _shown(text: str, start: int, end: int) -> str:
    """A place with some of what stands around it: "... card »4111 ...« and"."""
    return f"{text[max(0, start - 40) : start]}»{text[start:end]}«{text[end : end + 25]}"
