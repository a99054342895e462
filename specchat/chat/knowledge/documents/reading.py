"""From a file to passages, by its kind."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from specchat.chat.knowledge.documents.blocks import DocumentError, Section
from specchat.chat.knowledge.documents.cleaning import one_line
from specchat.chat.knowledge.documents.splitting import Piece, split
from specchat.chat.knowledge.passage import COMPANY, Passage

MOST_BYTES = 20 * 2**20
"""Of one file."""

MOST_PASSAGES = 5_000
"""Of one file."""

SUFFIXES = (".md", ".markdown", ".html", ".htm", ".txt", ".csv", ".tsv", ".pdf")
"""Of the files that can be read."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset", re.IGNORECASE)


def document_files(path: Path) -> list[tuple[str, Path]]:
    """What `path` holds, as source names and files: itself, or all readable files of a folder.

    Raises:
        DocumentError: nothing there, or nothing readable in the folder.
    """
    if path.is_file():
        return [(path.name, path)]
    if not path.is_dir():
        raise DocumentError(f"{path}: there is no such file or folder")
    found = [
        (str(file.relative_to(path).as_posix()), file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise DocumentError(f"{path}: holds no file that ends in {', '.join(SUFFIXES)}")
    return found


def read_document(path: Path, source: str | None = None) -> list[Passage]:
    """The passages of a file, under the name `source` (None: the file's own name).

    Raises:
        DocumentError: unreadable, empty, too large, of an unknown kind or encoding.
    """
    source = path.name if source is None else one_line(source)
    if not source or source == COMPANY:
        raise DocumentError(f"{path}: a document cannot be named {source!r}")
    pieces = _pieces(path, _data(path))
    unique = list(dict.fromkeys(pieces))
    if not unique:
        raise DocumentError(f"{path}: holds no text")
    if len(unique) > MOST_PASSAGES:
        raise DocumentError(f"{path}: has {len(unique)} passages; at most {MOST_PASSAGES} fit")
    return [
        Passage(id=f"{source}#{number}", source=source, title=piece.title, text=piece.text)
        for number, piece in enumerate(unique)
    ]


def _data(path: Path) -> bytes:
    if path.suffix.lower() not in SUFFIXES:
        raise DocumentError(f"{path}: must end in {', '.join(SUFFIXES)}, got {path.suffix!r}")
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DocumentError(f"{path}: has {size:,} bytes; at most {MOST_BYTES:,} can be read")
        return path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from None


def _pieces(path: Path, data: bytes) -> list[Piece]:
    suffix, name = path.suffix.lower(), one_line(path.stem.replace("_", " ").replace("-", " "))
    if suffix == ".pdf":
        from specchat.chat.knowledge.documents.pdf import read_pdf

        return split(read_pdf(data, str(path)), name)
    text = _text(data, path, declared=suffix in (".html", ".htm"))
    if suffix in (".csv", ".tsv"):
        from specchat.chat.knowledge.documents.table import read_csv

        return read_csv(text, str(path))
    return split(_sections(suffix, text, path), name)


def _sections(suffix: str, text: str, path: Path) -> list[Section]:
    from specchat.chat.knowledge.documents import html
    from specchat.chat.knowledge.documents.text import read_text

    readers = {".md": html.read_markdown, ".markdown": html.read_markdown, ".txt": read_text}
    try:
        return readers.get(suffix, html.read_html)(text)
    except html.TooMuchError as error:
        raise DocumentError(f"{path}: has {error}") from None


def _text(data: bytes, path: Path, *, declared: bool) -> str:
    """The file's characters; a page may say its encoding itself."""
    try:
        text = data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        if declared and _CHARSET.search(data[:2_048]):
            return _as_declared(data, path)
        raise DocumentError(
            f"{path}: is not UTF-8 (byte 0x{data[error.start]:02x} at {error.start}); "
            "save it in that encoding"
        ) from None
    if "\x00" in text:
        raise DocumentError(f"{path}: is no text: it holds zero bytes")
    return text


def _as_declared(data: bytes, path: Path) -> str:
    from bs4 import UnicodeDammit

    found = UnicodeDammit(data, is_html=True).unicode_markup
    if found is None:
        raise DocumentError(f"{path}: its encoding cannot be read; save it as UTF-8")
    return found
