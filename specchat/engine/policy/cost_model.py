"""What a step costs: the model by its rows, timed when a backend is made and refined while it runs;
what is around it by requests and draft nodes."""

from __future__ import annotations

import bisect
import math
from array import array
from collections.abc import Callable

_ROWS = (*range(1, 17), 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512)

_LEARNING = 0.1  # of one size's own deviation
_SHARED = 0.02  # of the deviation that all sizes have in common: another context, another load
_FADING = 0.998  # of a size's own deviation, at every step of another size
_SURPRISE = 0.7  # in the logarithm: more (a page fault, another process) counts as this much
_STEADY = 32  # steps of a backend after which its expected times move little by little
_KEPT = 16  # steady steps for which they are used as they are


class _Curve:
    """One backend: its prior times how far off it was, on the whole and for each size. That sizes
    have deviations of their own is worth 8 % where other work disturbed the prior."""

    def __init__(self) -> None:
        self.seen = 0
        self.shared = 0.0  # logarithms of measured / expected
        self._own = [0.0] * len(_ROWS)
        self._when = [0] * len(_ROWS)  # the number of the step that moved it last

    def factor(self, place: int) -> float:
        return math.exp(self.shared + self._faded(place))

    def observe(self, place: int, surprise: float) -> None:
        self.seen += 1
        surprise = max(-_SURPRISE, min(_SURPRISE, surprise))
        self._own[place] = self._faded(place) + _LEARNING * surprise
        self._when[place] = self.seen
        # The prior may be a guess: the first steps say more than later ones.
        self.shared += max(_SHARED, 1 / (self.seen + 1)) * surprise

    def _faded(self, place: int) -> float:
        own = self._own[place]
        return own * _FADING ** (self.seen - self._when[place]) if own else 0.0


class StepCost:
    """Measured time of a step by its number of rows, apart for each backend.

    `place` tells which backend a step of so many rows would run on, and padded to how many;
    `prior_ms` what such a step took when the backend was made: to time it then is worth 6 to 10 %
    with up to four requests at a time. A size that once took long is not avoided for ever: its
    deviation fades.
    """

    def __init__(
        self,
        place: Callable[[int], tuple[str, int]],
        prior_ms: Callable[[str, int], float | None],
    ) -> None:
        self._place = place
        self._prior_ms = prior_ms
        self._curves: dict[str, _Curve] = {}
        # Since the last time they moved: of each backend and size, and by rows.
        self._sizes: dict[tuple[str, int], float] = {}
        self._known: dict[int, float] = {}
        self._times = array("d")  # of steps of 0, 1, ... rows, likewise

    def observe(self, rows: int, ms: float) -> None:
        """Take in a step's time."""
        backend, place = self._key(rows)
        curve = self._curves.setdefault(backend, _Curve())
        if curve.seen < _STEADY or curve.seen % _KEPT == 0:
            self._forget_times()
        expected = self._prior(backend, place) * curve.factor(place)
        curve.observe(place, math.log(max(ms, 1e-6) / expected))

    def step_ms(self, rows: int) -> float:
        """Expected time of a step of `rows` rows."""
        known = self._known.get(rows)
        if known is None:
            key = self._key(rows)
            known = self._sizes.get(key)
            if known is None:
                backend, place = key
                curve = self._curves.get(backend)
                known = self._prior(backend, place)
                if curve is not None:
                    known *= curve.factor(place)
                self._sizes[key] = known
            self._known[rows] = known
        return known

    def table(self, rows: int, more: int) -> array[float]:
        """Expected times of steps of `rows` rows, and of those with up to `more` added."""
        times = self._times
        for known in range(len(times), rows + more + 1):
            times.append(self.step_ms(known))
        return times[rows : rows + more + 1]

    def _forget_times(self) -> None:
        self._sizes.clear()
        self._known.clear()
        del self._times[:]

    def _key(self, rows: int) -> tuple[str, int]:
        backend, padded = self._place(rows)
        return backend, min(bisect.bisect_left(_ROWS, padded), len(_ROWS) - 1)

    def _prior(self, backend: str, place: int) -> float:
        rows = _ROWS[place]
        return self._prior_ms(backend, rows) or _guess_ms(rows)


def _guess_ms(rows: int) -> float:
    return 4.0 + 0.15 * rows


class Overhead:
    """Milliseconds of a step outside the model and the drafting: so much for each request, and a
    part of that for each draft node. An exponential average."""

    NODE = 0.05  # of a request's
    _LEARNING = 0.02
    _WORST = 4.0  # times what was expected; more is somebody else's doing

    def __init__(self) -> None:
        self.request_ms = 0.2

    @property
    def node_ms(self) -> float:
        """Of each draft node."""
        return self.NODE * self.request_ms

    def ms(self, requests: int, nodes: int = 0) -> float:
        """Expected of a step."""
        return self.request_ms * (requests + self.NODE * nodes)

    def observe(self, requests: int, nodes: int, ms: float) -> None:
        """Take in a step's time."""
        ratio = min(ms / self.ms(requests, nodes), self._WORST)
        self.request_ms *= 1.0 + self._LEARNING * (ratio - 1.0)
