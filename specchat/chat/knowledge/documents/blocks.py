"""What every reader makes of a document: sections of blocks under headings."""

from __future__ import annotations

from dataclasses import dataclass, field


class DocumentError(Exception):
    """A document cannot be read as asked; the message names it and says what would be right."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (several sentences), a list item or a table row."""

    text: str
    whole: bool = False  # an item or a row: never cut, and on a line of its own


@dataclass(slots=True)
class Section:
    """What stands under one heading, before the next."""

    path: tuple[str, ...]  # the headings above it, the outermost first, its own last
    blocks: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class Outline:
    """Sections in the order in which a reader meets them."""

    sections: list[Section] = field(default_factory=list)
    _levels: list[int] = field(default_factory=list)  # of the headings of the current path

    def heading(self, level: int, text: str) -> None:
        """Begin a section; headings of this level and below end."""
        path = list(self.sections[-1].path) if self.sections else []
        while self._levels and self._levels[-1] >= level:
            self._levels.pop()
            path.pop()
        self._levels.append(level)
        self.sections.append(Section((*path, text)))

    def add(self, text: str, *, whole: bool = False) -> None:
        """Add a block to the section that was begun last."""
        if not text:
            return
        if not self.sections:
            self.sections.append(Section(()))
        self.sections[-1].blocks.append(Block(text, whole))
