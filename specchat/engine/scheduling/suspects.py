"""Which prompts end a step with an error, found without harm to those that run beside them.

Whoever was in flight when a step raised is a suspect. A suspect that comes again runs alone: ends
it well, it is none any more; raises a step with nothing but it in flight, it is guilty and refused.
So a prompt is refused after two steps that raised with it in flight, the second of which had
nobody else in it, and it can hurt others once at the most.
"""

from __future__ import annotations

import secrets
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from specchat.engine.errors import RefusedRequestError

FORGOTTEN_S = 3600.0
"""After which a prompt is as good as any other."""

MOST = 1_000
"""Prompts that are remembered; the oldest go first."""


@dataclass(frozen=True, slots=True)
class _Mark:
    since: float  # seconds, of the clock
    guilty: bool


class Suspects:
    """Remembers hashes under a key of this process, never a prompt. The engine thread owns it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._marks: OrderedDict[bytes, _Mark] = OrderedDict()

    def name(self, prompt_ids: Sequence[int]) -> bytes:
        """What a prompt is remembered under."""
        return blake2b(array("q", prompt_ids).tobytes(), digest_size=16, key=self._key).digest()

    def admit(self, name: bytes) -> None:
        """Raise RefusedRequestError where the prompt is guilty."""
        mark = self._mark(name)
        if mark is not None and mark.guilty:
            raise RefusedRequestError(
                "this prompt has ended two steps of the engine with an error and is refused for an "
                "hour: ask in other words"
            )

    def runs_alone(self, name: bytes) -> bool:
        """True for one that nobody else may run beside."""
        return bool(self._marks) and self._mark(name) is not None

    def failed(self, names: Iterable[bytes]) -> None:
        """A step has raised with these in flight."""
        in_flight = list(names)
        for name in set(in_flight):
            guilty = len(in_flight) == 1 and self._mark(name) is not None
            self._marks[name] = _Mark(self._clock(), guilty)
            self._marks.move_to_end(name)
        while len(self._marks) > MOST:
            self._marks.popitem(last=False)

    def ended_well(self, name: bytes) -> None:
        """One that ran alone has done no harm."""
        self._marks.pop(name, None)

    def _mark(self, name: bytes) -> _Mark | None:
        while self._marks:  # the oldest first: each is put last when it is marked
            oldest, mark = next(iter(self._marks.items()))
            if self._clock() - mark.since < FORGOTTEN_S:
                break
            del self._marks[oldest]
        return self._marks.get(name)
