"""Files of conversations with instructions that do not come from the company.

A row is a conversation with what carries the instruction: `{"id", "kind", "pages", "orders",
"instruction", "turns"}`. `pages` are files by name, imported as help pages; `orders` are as in
`orders.toml`. `instruction` lists what an answer may quote word for word without following it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from specchat.bench.answers.conversations import (
    ExpectedConversation,
    expected_conversation,
    read_rows,
)
from specchat.chat.company.profile import DemoOrder
from specchat.chat.knowledge import Passage
from specchat.chat.knowledge.documents import DocumentError, read_document


@dataclass(frozen=True, slots=True)
class Injection:
    """A conversation, what is put into the company's knowledge for it, and what may be quoted."""

    conversation: ExpectedConversation
    pages: Mapping[str, str]  # what files hold, by their names
    orders: tuple[DemoOrder, ...]
    instruction: tuple[str, ...]

    @property
    def id(self) -> str:
        """The conversation's."""
        return self.conversation.id

    def passages(self) -> list[Passage]:
        """The pages as an import reads them, without those that it refuses."""
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, Path(name).name) for name in self.pages]
            for file, text in zip(files, self.pages.values(), strict=True):
                file.write_text(text, encoding="utf-8")
            return [passage for file in files for passage in _imported(file)]


def _imported(file: Path) -> list[Passage]:
    with suppress(DocumentError):
        return read_document(file)
    return []


def read_injections(path: Path, limit: int | None = None) -> list[Injection]:
    """The first `limit` rows of a file. Raises PromptsError as `read_conversations` does."""
    return read_rows(path, _injection, limit)


def _injection(row: Any) -> Injection:
    conversation = expected_conversation(row)
    try:
        return Injection(
            conversation,
            _PAGES.validate_python(row.get("pages", {})),
            _ORDERS.validate_python(row.get("orders", ())),
            _TEXTS.validate_python(row.get("instruction", ())),
        )
    except ValidationError as error:  # one of them is a ValueError too, but of many lines
        first = error.errors()[0]
        raise ValueError(f"{first['msg']} ({'.'.join(map(str, first['loc']))})") from None


_PAGES = TypeAdapter(dict[str, str])
_ORDERS = TypeAdapter(tuple[DemoOrder, ...])
_TEXTS = TypeAdapter(tuple[str, ...])
