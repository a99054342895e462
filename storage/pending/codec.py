"""A change as one line of text and back: the name of a function and what it is called with."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

Change = Callable[..., Any]


class Codec:
    """Writes calls of `functions` by keywords, whose values are plain ones, dates, tuples,
    mappings and the dataclasses of `records`. Nothing else is written or read."""

    def __init__(self, functions: tuple[Change, ...], records: tuple[type, ...]) -> None:
        self._functions = {function.__name__: function for function in functions}
        self._records = {record.__name__: record for record in records}

    def writes(self, work: Change) -> bool:
        """True for a call that can be written."""
        return isinstance(work, partial) and work.func in self._functions.values() and not work.args

    def line(self, work: Change) -> bytes:
        """The call as a line with a checksum in front of it, in ASCII."""
        assert isinstance(work, partial)
        said = json.dumps(
            [work.func.__name__, self._packed(work.keywords)], separators=(",", ":")
        ).encode("ascii")
        return b"%08x %s\n" % (zlib.crc32(said), said)

    def work(self, line: bytes) -> partial[Any]:
        """The call of a line.

        Raises:
            ValueError: the line is damaged, or of another version.
        """
        checksum, _, said = line.rstrip(b" \n").partition(b" ")
        if checksum != b"%08x" % zlib.crc32(said):
            raise ValueError("the line is damaged")
        try:
            name, keywords = json.loads(said)
            return partial(self._functions[name], **self._unpacked(keywords))
        except (KeyError, TypeError) as error:
            raise ValueError("the line is of another version") from error

    def _packed(self, value: Any) -> Any:
        if is_dataclass(value):
            own = {field.name: getattr(value, field.name) for field in fields(value)}
            return {type(value).__name__: self._packed(own)}
        if isinstance(value, datetime):
            return {"datetime": value.isoformat()}
        if isinstance(value, date):
            return {"date": value.isoformat()}
        if isinstance(value, tuple | list):
            return [self._packed(each) for each in value]
        if isinstance(value, Mapping):
            return {"": {name: self._packed(each) for name, each in value.items()}}
        return value

    def _unpacked(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self._unpacked(each) for each in value)
        if not isinstance(value, dict):
            return value
        ((kind, said),) = value.items()
        if kind == "datetime":
            return datetime.fromisoformat(said)
        if kind == "date":
            return date.fromisoformat(said)
        if kind == "":
            return {name: self._unpacked(each) for name, each in said.items()}
        return self._records[kind](**self._unpacked(said))
