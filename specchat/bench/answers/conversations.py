"""Files of conversations with what is right: `{"id", "kind", "turns": [{"q", "must", "not"}]}`.

`must` is a list of groups: an answer needs one expression of each. `not` is a list of expressions
that it must not hold. `kind` and both lists may be left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from specchat.bench.prompts import PromptsError

NO_KIND = "other"


@dataclass(frozen=True, slots=True)
class ExpectedTurn:
    """One question, and what its answer is judged by."""

    question: str
    must: tuple[tuple[re.Pattern[str], ...], ...]  # one of each group
    forbidden: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class ExpectedConversation:
    """Questions of one customer, in order."""

    id: str
    kind: str
    turns: tuple[ExpectedTurn, ...]


def read_conversations(path: Path, limit: int | None = None) -> list[ExpectedConversation]:
    """The first `limit` conversations of a file; blank lines are passed over.

    Raises:
        PromptsError: no such file, no conversation in it, or a line that is none.
    """
    return read_rows(path, expected_conversation, limit)


class Named(Protocol):
    """What a row of a file becomes."""

    @property
    def id(self) -> str:
        """Its name, which no other row has."""
        ...


Row = TypeVar("Row", bound=Named)


def read_rows(path: Path, parse: Callable[[Any], Row], limit: int | None = None) -> list[Row]:
    """The first `limit` rows of a file of JSON lines; `parse` raises ValueError where one is wrong.

    Raises:
        PromptsError: no such file, nothing in it, or a line that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise PromptsError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise PromptsError(f"{path} must be UTF-8 text, one JSON object a line") from None
    found = list(islice(_parsed(path, lines, parse), limit))
    if not found:
        raise PromptsError(f"{path} holds no conversations; write one JSON object a line")
    return found


def _parsed(path: Path, lines: list[str], parse: Callable[[Any], Row]) -> Iterator[Row]:
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = parse(json.loads(line))
            if row.id in seen:
                raise ValueError(f"the id {row.id!r} is used twice")
        except ValueError as error:  # JSONDecodeError is one
            raise PromptsError(f"{path}, line {number}: {error}") from None
        seen.add(row.id)
        yield row


def expected_conversation(row: Any) -> ExpectedConversation:
    """A row as a conversation. Raises ValueError where it is none."""
    if not isinstance(row, dict):
        raise ValueError(f"must be a JSON object, got {type(row).__name__}")
    name, turns = row.get("id"), row.get("turns")
    if not isinstance(name, str) or not name:
        raise ValueError(f'"id" must be a string with something in it, got {name!r}')
    if not isinstance(turns, list) or not turns:
        raise ValueError('"turns" must be a list of at least one turn')
    return ExpectedConversation(name, str(row.get("kind") or NO_KIND), tuple(map(_turn, turns)))


def _turn(value: Any) -> ExpectedTurn:
    question = value.get("q") if isinstance(value, dict) else None
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f'a turn\'s "q" must be a string with something in it, got {question!r}')
    groups = value.get("must", [])
    if not isinstance(groups, list):
        raise ValueError(f'"must" must be a list of lists of expressions, got {groups!r}')
    must = tuple(_expressions(group, "must") for group in groups)
    return ExpectedTurn(question, must, _expressions(value.get("not", []), "not"))


def _expressions(values: Any, name: str) -> tuple[re.Pattern[str], ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f'"{name}" must hold lists of regular expressions, got {values!r}')
    try:
        return tuple(re.compile(value, re.IGNORECASE) for value in values)
    except re.error as error:
        raise ValueError(f'"{name}" holds no regular expression: {error}') from None
