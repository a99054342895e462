"""Prompts files: one JSON object a line, `{"id": str, "messages": [{"role", "content"}, ...]}`."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")


class PromptsError(Exception):
    """A prompts file is missing or wrong; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation to answer; its last message is the user's."""

    prompt_id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class BenchPrompt:
    """A prompt as the engine takes it."""

    prompt_id: str
    ids: tuple[int, ...]
    public_tokens: int = 0  # at the start: the same for every customer


def read_prompts(path: Path, limit: int | None = None) -> list[Prompt]:
    """The first `limit` prompts of the file at `path`; blank lines are passed over.

    A file whose name ends in `.gz` is unpacked.

    Raises:
        PromptsError: no such file, no prompt in it, or a line that is no prompt.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        lines = content.decode("utf-8").split("\n")  # JSON text may hold other line breaks
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise PromptsError(f"{path} is no gzip file, or is cut short") from None
    except OSError as error:
        raise PromptsError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise PromptsError(f"{path} must be UTF-8 text, one JSON object a line") from None
    prompts = _parse(path, lines, limit)
    if not prompts:
        raise PromptsError(f"{path} holds no prompts; write one JSON object a line")
    return prompts


def _parse(path: Path, lines: list[str], limit: int | None) -> list[Prompt]:
    prompts: list[Prompt] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if limit is not None and len(prompts) == limit:
            break
        if not line.strip():
            continue
        try:
            prompt = _prompt(line)
            if prompt.prompt_id in seen:
                raise ValueError(f"the id {prompt.prompt_id!r} is used twice")
        except ValueError as error:
            raise PromptsError(f"{path}, line {number}: {error}") from None
        seen.add(prompt.prompt_id)
        prompts.append(prompt)
    return prompts


def _prompt(line: str) -> Prompt:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"no valid JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(row, dict):
        raise ValueError(f"must be a JSON object, got {type(row).__name__}")
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise ValueError(f'"id" must be a string with something in it, got {row.get("id")!r}')
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError('"messages" must be a list of at least one message')
    read = tuple(_message(message) for message in messages)
    if read[-1].role != "user":
        raise ValueError(f'the last message must be the user\'s, got role "{read[-1].role}"')
    return Prompt(row["id"], read)


def _message(value: Any) -> Message:
    role, content = (
        (value.get("role"), value.get("content")) if isinstance(value, dict) else (None, None)
    )
    if role not in ROLES:
        raise ValueError(f'"role" must be one of {", ".join(ROLES)}, got {role!r}')
    if not isinstance(content, str) or not content.strip():
        raise ValueError(f'"content" must be a string with something in it, got {content!r}')
    return Message(role, content)
