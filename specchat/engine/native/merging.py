"""The offers of a step in `cpp/merging.h`: tens of microseconds for all requests."""

from __future__ import annotations

import ctypes
import logging
from array import array
from collections.abc import Sequence
from ctypes import c_double, c_int64, c_void_p

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.merging import Wish
from specchat.engine.drafting.packed_trees import PackedTrees
from specchat.engine.drafting.speculator import Speculator
from specchat.engine.native.library import NativeUnavailableError, load_library
from specchat.engine.policy.asking import Outlook
from specchat.engine.policy.policy import Policy

log = logging.getLogger(__name__)

MOST_DRAFTERS = 16
"""That may be told apart; of each node is kept what every one says."""

_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "offers_new": (c_void_p, []),
    "offers_free": (None, [c_void_p]),
    "offers_begin": (None, [c_void_p, c_int64]),
    "offers_add": (
        c_int64, [c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_int64],
    ),
    "offers_choose": (
        c_int64,
        [
            c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_double, c_double, c_double,
            c_void_p,
        ],
    ),
    "offers_kept": (None, [c_void_p, c_int64, c_void_p, c_void_p]),
    "offers_count": (c_int64, [c_void_p, c_int64]),
    "offers_learn": (
        None, [c_void_p, c_int64, *[c_void_p] * 6, c_int64, c_void_p],
    ),
}  # fmt: skip


class BuildMerger:
    """The job that builds the library where nothing else has it built: on a GPU, say."""

    name = "the native merging"

    def __init__(self, speculators: Sequence[Speculator]) -> None:
        self._speculators = speculators
        self._tried = False

    @property
    def ready(self) -> bool:
        """True once it is there, or cannot be."""
        return self._tried

    def wanted(self) -> bool:
        """Only who drafts needs it."""
        return bool(self._speculators)

    def compile(self) -> None:
        """Build it, or do without merging."""
        try:
            load_library()
        except NativeUnavailableError as error:
            log.info("drafts are not merged: %s", error)
        self._tried = True


class NativeMerger:
    """All drafts as one tree for each request, of which the nodes are kept that pay. The engine
    thread owns it."""

    def __init__(
        self, library: ctypes.CDLL, policy: Policy, drafters: Sequence[str], vocab_size: int
    ) -> None:
        """`drafters`: the names of all that may offer something, at most `MOST_DRAFTERS`."""
        # Calls so short that to let others have the interpreter meanwhile would take longer.
        self._library = ctypes.PyDLL(library._name)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._policy, self._vocab_size = policy, vocab_size
        self._names = sorted(set(drafters))
        self._bits = {name: 1 << place for place, name in enumerate(self._names)}
        self._step = self._library.offers_new()
        self._tables: dict[tuple[int, bool], int] = {}  # where regressions are, by drafters' bits
        self._alone: array[int] = array("q")
        self._best = array("d", (0.0, 0.0))
        self._wishes: Sequence[Wish] = ()
        self._limits: array[int] = array("q")  # nodes of each request; negative: at any price
        self._prompt_rows = 0
        self._asked: list[int] = []  # bits of the drafters, for each request
        self._nodes = 0  # offered
        self._kept = 0  # chosen

    def __del__(self) -> None:
        if getattr(self, "_step", None):
            self._library.offers_free(self._step)

    def begin(self, wishes: Sequence[Wish], prompt_rows: int) -> Outlook:
        requests = len(wishes)
        self._wishes, self._prompt_rows = wishes, prompt_rows
        self._limits = array("q", [wish.most if wish.adaptive else -wish.most for wish in wishes])
        self._asked = [0] * requests
        self._nodes = self._kept = 0
        self._library.offers_begin(self._step, requests)
        prices = self._policy.prices(requests, prompt_rows, 0.0, 0)
        return Outlook(requests, float(requests), prompt_rows, prices.fixed_ms)

    def add(
        self, drafter: str, places: Sequence[int], trees: Sequence[DraftTree], depths: Sequence[int]
    ) -> None:
        if not isinstance(trees, PackedTrees):
            for tree in trees:
                tree.check(self._vocab_size)
            trees = PackedTrees.of(drafter, trees)
        bit = self._bits[drafter]
        numbers = array("q", [*places, *depths])
        at, many = numbers.buffer_info()[0], len(places)
        nodes = self._library.offers_add(
            self._step, bit.bit_length() - 1, many, at, at + 8 * many, trees.packed(),
            self._vocab_size,
        )  # fmt: skip
        if nodes < 0:
            for tree in trees:
                tree.check(self._vocab_size)
            raise ValueError("a node's parent must come before it")
        self._nodes = nodes
        for place in places:
            self._asked[place] |= bit

    def choose(self, draft_ms: float) -> Outlook:
        requests, policy = len(self._wishes), self._policy
        prices = policy.prices(requests, self._prompt_rows, draft_ms, self._nodes)
        tables = array("q", map(self._table, self._asked, [wish.greedy for wish in self._wishes]))
        self._kept = self._library.offers_choose(
            self._step, tables.buffer_info()[0], policy.calibration.step,
            policy.calibration.constants, self._limits.buffer_info()[0],
            prices.step_ms.buffer_info()[0], prices.node_ms,
            float(requests + self._prompt_rows), prices.fixed_ms, self._best.buffer_info()[0],
        )  # fmt: skip
        tokens, ms = self._best
        return Outlook(requests, tokens - self._prompt_rows, self._prompt_rows, ms)

    def chosen(self) -> list[DraftTree]:
        requests, kept = len(self._wishes), self._kept
        if not kept:
            return [DraftTree() for _ in self._wishes]
        out, chances = array("q", bytes(8 * (requests + 4 * kept))), array("d", bytes(8 * kept))
        self._library.offers_kept(self._step, kept, out.buffer_info()[0], chances.buffer_info()[0])
        numbers, confidence, names = out.tolist(), chances.tolist(), self._names
        trees = []
        start = 0
        for count in numbers[:requests]:
            first, start = requests + start, start + count
            columns = [numbers[i : i + count] for i in range(first, first + 4 * kept, kept)]
            tokens, parents, depths, drafters = columns
            sources = [names[drafter] for drafter in drafters]
            trees.append(
                DraftTree(tokens, parents, depths, sources, confidence[start - count : start])
            )
        return trees

    def count(self, place: int) -> int:
        return self._library.offers_count(self._step, place)

    def learn(self, places: Sequence[int], tokens: Sequence[Sequence[int]]) -> None:
        greedy = [self._wishes[place].greedy for place in places]
        numbers = array("q", [*places, *map(len, tokens), *greedy])
        many = len(places)
        asked = [self._asked[place] for place in places]
        numbers.extend(map(self._table, asked, greedy))
        for own in tokens:
            numbers.extend(own)
        at = numbers.buffer_info()[0]
        counts, flags, tables, first = [at + 8 * many * i for i in range(1, 5)]
        self._library.offers_learn(
            self._step, many, at, counts, flags, tables, first, self._alone_at(),
            self._policy.calibration.step, self._policy.calibration.constants,
        )  # fmt: skip

    def _alone_at(self) -> int:
        """Address of the tables of each drafter by itself."""
        if not self._alone:
            absent = [0] * (MOST_DRAFTERS - len(self._names))
            for greedy in (False, True):
                own = [self._table(bit, greedy) for bit in self._bits.values()]
                self._alone.extend([*own, *absent])
        return self._alone.buffer_info()[0]

    def _table(self, asked: int, greedy: bool) -> int:
        """Address of the regressions where these drafters were asked; 0 where nobody was."""
        known = self._tables.get((asked, greedy))
        if known is None:
            known = 0
            if asked:
                known = self._policy.calibration.table(self._drafters(asked), greedy)
            self._tables[asked, greedy] = known
        return known

    def _drafters(self, asked: int) -> tuple[str, ...]:
        return tuple([name for name, bit in self._bits.items() if asked & bit])
