"""The text of a PDF, as far as it holds any."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from specchat.chat.knowledge.documents.blocks import DocumentError, Section
from specchat.chat.knowledge.documents.text import read_text

_HYPHEN = re.compile(r"(?<=[a-zà-ÿ])-\n(?=[a-zà-ÿ])")
_FEW_PAGES = 3  # fewer have nothing in common
_NUMBERS = re.compile(r"\d+")


def read_pdf(data: bytes, name: str) -> list[Section]:
    """The sections of a PDF: paragraphs, and headings by how they look.

    Raises:
        DocumentError: no PDF, damaged, locked, or without text (a scan).
    """
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it reports every oddity of a file
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError(f"{name}: is locked by a password; save it without one")
        pages = [page.extract_text() or "" for page in reader.pages]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DocumentError(f"{name}: is no readable PDF: {error}") from None
    text = _HYPHEN.sub("", "\n\n".join(_without_margins(pages)))
    if not text.strip():
        raise DocumentError(f"{name}: holds no text; a scan needs text recognition (OCR) first")
    return read_text(text)


def _without_margins(pages: list[str]) -> list[str]:
    """The pages without first and last lines that most of them have in common: page numbers, the
    document's name."""
    if len(pages) < _FEW_PAGES:
        return pages
    lines = [[line for line in page.split("\n") if line.strip()] for page in pages]
    seen = Counter(shape for page in lines for shape in {_shape(page[at]) for at in _margins(page)})
    common = {shape for shape, count in seen.items() if count > len(pages) / 2}
    kept = [
        [
            line
            for at, line in enumerate(page)
            if at not in _margins(page) or _shape(line) not in common
        ]
        for page in lines
    ]
    return ["\n".join(page) for page in kept]


def _margins(lines: list[str]) -> set[int]:
    """The places of the first and last lines of a page."""
    last = len(lines) - 1
    return {at for at in (0, 1, last - 1, last) if 0 <= at <= last}


def _shape(line: str) -> str:
    return _NUMBERS.sub("0", line.strip())
