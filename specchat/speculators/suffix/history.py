"""Answers learned while serving: sorted parts that grow by merging, apart for each salt."""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specchat.speculators.suffix.suffix_array import SuffixArray

MOST_SALTS = 256


@dataclass(frozen=True, slots=True)
class Parts:
    """What one salt drafts from beside the seed."""

    common: tuple[SuffixArray, ...]
    own: tuple[SuffixArray, ...]


class SuffixHistory:
    """Thread-safe. A new answer is a small part of its own; parts of like size are merged, so an
    answer is sorted again only logarithmically often. Of the salts the latest used are kept."""

    def __init__(self, most_tokens: int) -> None:
        if most_tokens < 1:
            raise ValueError(f"most_tokens must be at least 1, got {most_tokens}")
        self.library: ctypes.CDLL | None = None  # sorts natively once it is here
        self._most_tokens = most_tokens
        self._merging = threading.Lock()  # held while parts are sorted anew
        self._lock = threading.Lock()  # held for a moment, by whoever reads or changes the below
        self._salt: str | None = None  # whose parts are merged, unless it was forgotten meanwhile
        self._parts: OrderedDict[str, tuple[SuffixArray, ...]] = OrderedDict()

    @property
    def tokens(self) -> int:
        """Tokens held, of all salts."""
        with self._lock:
            return sum(len(part) for parts in self._parts.values() for part in parts)

    def add(self, answers: Iterable[Sequence[int]], salt: str) -> None:
        """Take answers in; the oldest leave when there are too many tokens."""
        new = SuffixArray.build((answer for answer in answers if len(answer)), self.library)
        if not len(new):
            return
        with self._merging:
            with self._lock:
                known, self._salt = self._parts.get(salt, ()), salt
            parts = self._merged([*known, new])
            with self._lock:
                if self._salt == salt:
                    self._keep(salt, parts)

    def forget(self, salt: str) -> None:
        """Drop what a salt taught, and what is being merged into it. Waits for no merge."""
        with self._lock:
            self._parts.pop(salt, None)
            if self._salt == salt:
                self._salt = None

    def parts(self, salt: str) -> Parts:
        """What a request of this salt may see."""
        with self._lock:
            own = self._parts.get(salt, ()) if salt else ()
            if own:
                self._parts.move_to_end(salt)
            return Parts(self._parts.get("", ()), own)

    def _merged(self, parts: list[SuffixArray]) -> tuple[SuffixArray, ...]:
        while len(parts) > 1 and len(parts[-2]) < 2 * len(parts[-1]):
            both = [*parts[-2].split(), *parts[-1].split()]
            parts[-2:] = [SuffixArray.build(both, self.library)]
        if sum(map(len, parts)) > self._most_tokens:
            parts = [self._latest(parts)]
        return tuple(parts)

    def _keep(self, salt: str, parts: tuple[SuffixArray, ...]) -> None:
        self._parts[salt] = parts
        self._parts.move_to_end(salt)
        while len(self._parts) > MOST_SALTS + 1:
            oldest = next(known for known in self._parts if known)
            del self._parts[oldest]

    def _latest(self, parts: Sequence[SuffixArray]) -> SuffixArray:
        """Three quarters of the room, so that it is not cut again with the next answer."""
        kept: list[list[int]] = []
        room = max(1, 3 * self._most_tokens // 4)
        for answer in reversed([answer for part in parts for answer in part.split()]):
            room -= len(answer) + 1
            if room < 0 and kept:
                break
            kept.append(answer)
        return SuffixArray.build(reversed(kept), self.library)
