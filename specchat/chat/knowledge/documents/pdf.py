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
    """The pages without lines that most of them have in common: headers, footers, numbers."""
    if len(pages) < 3:
        return pages
    seen = Counter(line for page in pages for line in {_shape(line) for line in page.split("\n")})
    common = {line for line, count in seen.items() if count > len(pages) / 2}
    return ["\n".join(_kept(page.split("\n"), common)) for page in pages]


def _kept(lines: list[str], common: set[str]) -> list[str]:
    return [line for line in lines if not line.strip() or _shape(line) not in common]


def _shape(line: str) -> str:
    return _NUMBERS.sub("0", line.strip())
