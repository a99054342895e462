"""CSV files of questions and answers."""

from __future__ import annotations

import csv
import io

from specchat.chat.knowledge.documents.blocks import DocumentError
from specchat.chat.knowledge.documents.cleaning import cleaned, one_line
from specchat.chat.knowledge.documents.splitting import Piece

_QUESTION = ("question", "q", "title", "frage", "titel")
_ANSWER = ("answer", "a", "text", "antwort")


def read_csv(text: str, name: str) -> list[Piece]:
    """A passage for each row: the question is its title, the answer its text.

    The first line names the columns; commas, semicolons or tabs stand between them.

    Raises:
        DocumentError: no such columns, or a row is not CSV.
    """
    rows = csv.reader(io.StringIO(cleaned(text)), delimiter=_delimiter(text), strict=True)
    try:
        names = [cell.strip().lower() for cell in next(rows, [])]
        question, answer = _column(names, _QUESTION, name), _column(names, _ANSWER, name)
        found = [
            Piece(one_line(row[question]), _answer(row[answer]))
            for row in rows
            if len(row) > max(question, answer)
        ]
    except csv.Error as error:
        raise DocumentError(f"{name}, line {rows.line_num}: is not CSV: {error}") from None
    return [piece for piece in found if piece.title and piece.text]


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _column(names: list[str], wanted: tuple[str, ...], name: str) -> int:
    for each in wanted:
        if each in names:
            return names.index(each)
    raise DocumentError(
        f"{name}: the first line must name the columns 'question' and 'answer', "
        f"got {', '.join(map(repr, names)) or 'nothing'}"
    )


def _answer(text: str) -> str:
    return "\n".join(filter(None, map(one_line, text.split("\n"))))
