"""Sections into passages of at most about 160 words, never in the middle of a sentence.

What stands under a heading of its own is a passage: an answer is chosen among whole passages, and
what is next to it is about something else. Only neighbours of a few words share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specchat.chat.knowledge.documents.blocks import Section
from specchat.chat.knowledge.sentences import sentences

FEW_WORDS = 12  # of a section that says little alone
MANY_WORDS = 160
MOST_WORDS = 320  # of one sentence; text without any full stop is cut there

_JOIN = " – "  # between the headings of a title


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage to be."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is never cut."""

    text: str
    own_line: bool

    @property
    def words(self) -> int:
        return len(self.text.split())


def split(sections: Sequence[Section], name: str) -> list[Piece]:
    """The passages of a document; `name` is the title of what stands under no heading."""
    filled = [section for section in sections if section.blocks]
    return [piece for group in _groups(filled) for piece in _pieces(group, name)]


def _groups(sections: Sequence[Section]) -> Iterator[list[Section]]:
    """Neighbours that share a passage: such of one parent that have few words."""
    group: list[Section] = []
    for section in sections:
        if group and not _join(group, section):
            yield group
            group = []
        group.append(section)
    if group:
        yield group


def _join(group: Sequence[Section], section: Section) -> bool:
    size = sum(map(_words, group))
    if _asks(section) or any(map(_asks, group)) or size + _words(section) > MANY_WORDS:
        return False
    parent = group[0].path[:-1]
    near = section.path[:-1] == parent or section.path[:-1] == group[0].path
    return near and max(_words(each) for each in (*group, section)) < FEW_WORDS


def _asks(section: Section) -> bool:
    return bool(section.path) and section.path[-1].endswith("?")


def _words(section: Section) -> int:
    return sum(len(block.text.split()) for block in section.blocks)


def _pieces(group: Sequence[Section], name: str) -> Iterator[Piece]:
    path = _common(group)
    units = [unit for section in group for unit in _units(section, len(path))]
    total = sum(unit.words for unit in units)
    wanted = total / max(1, -(-total // MANY_WORDS))  # words of each, when shared out evenly
    title = _JOIN.join(path) or name
    taken: list[_Unit] = []
    size = 0
    for unit in units:
        if taken and (size + unit.words > MANY_WORDS or size >= wanted):
            yield Piece(title, _text(taken))
            taken, size = [], 0
        taken.append(unit)
        size += unit.words
    if taken:
        yield Piece(title, _text(taken))


def _common(group: Sequence[Section]) -> tuple[str, ...]:
    """The headings that all of the group stand under."""
    path = group[0].path
    for section in group[1:]:
        same = 0
        while same < min(len(path), len(section.path)) and path[same] == section.path[same]:
            same += 1
        path = path[:same]
    return path


def _units(section: Section, known: int) -> Iterator[_Unit]:
    """Sentences, items and rows; headings below the title's go on before the first."""
    below = _JOIN.join(section.path[known:])
    if below:
        yield _Unit(below if below.endswith((":", "?", "!", ".")) else f"{below}:", True)
    for block in section.blocks:
        if block.whole:
            yield _Unit(block.text, True)
            continue
        for number, sentence in enumerate(_bounded(sentences(block.text))):
            yield _Unit(sentence, number == 0)


def _bounded(found: Sequence[str]) -> Iterator[str]:
    for sentence in found:
        words = sentence.split()
        for start in range(0, len(words), MOST_WORDS):
            yield " ".join(words[start : start + MOST_WORDS])


def _text(units: Sequence[_Unit]) -> str:
    """Sentences of a paragraph behind each other, everything else on lines of its own."""
    text = units[0].text
    for unit in units[1:]:
        text += ("\n" if unit.own_line else " ") + unit.text
    return text
