"""Plain text: paragraphs between blank lines, headings and lists by how they look."""

from __future__ import annotations

import re
from collections.abc import Sequence

from specchat.chat.knowledge.documents.blocks import Outline, Section
from specchat.chat.knowledge.documents.cleaning import cleaned, one_line

_ITEM = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_BLANK_LINES = re.compile(r"\n\s*\n")
_MOST_OF_A_HEADING = 80  # characters


def read_text(text: str) -> list[Section]:
    """The sections of a plain text."""
    outline = Outline()
    paragraphs = [lines for lines in map(_lines, _BLANK_LINES.split(cleaned(text))) if lines]
    for number, lines in enumerate(paragraphs):
        if number + 1 < len(paragraphs) and _is_heading(lines):
            outline.heading(1 if number == 0 else 2, one_line(lines[0]))
        else:
            _add(lines, outline)
    return outline.sections


def _lines(paragraph: str) -> list[str]:
    return [line for line in paragraph.split("\n") if line.strip()]


def _is_heading(lines: Sequence[str]) -> bool:
    """One short line that does not end as a sentence does, and is no item."""
    line = lines[0].strip()
    ends = line.endswith((".", "!", ":", ";", ","))
    return (
        len(lines) == 1 and len(line) <= _MOST_OF_A_HEADING and not ends and not _ITEM.match(line)
    )


def _add(lines: Sequence[str], outline: Outline) -> None:
    """A paragraph's lines belong together; each item has a line of its own and its next lines."""
    open_lines: list[str] = []
    item = False
    for line in lines:
        if _ITEM.match(line):
            outline.add(one_line(" ".join(open_lines)), whole=item)
            open_lines, item = [], True
        open_lines.append(line)
    outline.add(one_line(" ".join(open_lines)), whole=item)
