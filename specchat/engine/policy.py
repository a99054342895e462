"""How many draft nodes to verify: measured costs against calibrated chances.

Each step maximises expected tokens per millisecond, (B + sum of P) / (t(B + m) + d + o), over the m
most probable nodes of all requests' trees, where B is the number of decoding requests, P a node's
chance of being accepted, t the measured time of a step of that many rows, d what drafting and o
what the rest of the step costs. Where prompts wait, added time counts for their requests as well.
The empty tree is always a candidate. A request whose drafts do not pay is decoded plainly and tried
again later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from specchat.engine.calibration import Calibration
from specchat.engine.draft import DraftTree
from specchat.engine.step_cost import Overhead, StepCost


@dataclass(frozen=True, slots=True)
class Choice:
    """The nodes to verify, and what is expected of them."""

    trees: list[DraftTree]
    nodes: list[list[int]]  # of the proposed trees, which these are the sub-trees of
    tokens: float  # expected of the step, over all requests
    rate: float  # expected tokens per millisecond

    def later(self, ms: float) -> Choice:
        """The same nodes, after so much more time for drafting."""
        return replace(self, rate=self.tokens / (self.tokens / self.rate + ms))


@dataclass(slots=True)
class Policy:
    """Chooses the nodes of a step."""

    cost: StepCost
    max_nodes: int  # per request
    calibration: Calibration = field(default_factory=Calibration)
    overhead: Overhead = field(default_factory=Overhead)

    def choose(
        self,
        trees: Sequence[DraftTree],
        greedy: Sequence[bool],
        other_rows: int,
        draft_ms: float,
        waiting: int = 0,
    ) -> Choice:
        """The part of each tree worth verifying in a step that also has `other_rows` rows of
        prefill. `trees` holds one, possibly empty, tree per decoding request. `waiting` requests
        have no token yet: what drafts add to a step makes them wait as well, so it counts for them
        too."""
        requests, base_rows = len(trees), len(trees) + other_rows
        base_ms = self.cost.step_ms(base_rows)
        fixed_ms = base_ms + self.overhead.ms(requests) + draft_ms
        plain_rate = requests / fixed_ms
        price = 1.0 + waiting / max(1, requests)
        if not any(tree.tokens for tree in trees):
            return Choice(list(trees), [[] for _ in trees], float(requests), plain_rate)
        ranked = self._ranked(trees, greedy)
        best_tokens = expected = float(requests)
        best_rate, best_count, count = plain_rate, 0, 0
        hoped = expected - sum(negative for negative, _, _ in ranked)  # were all of them verified
        step_ms, node_ms = self.cost.step_ms, self.overhead.node_ms
        room = [self.max_nodes] * requests
        chosen: list[tuple[int, int]] = []
        for negative, r, node in ranked:
            if not room[r]:
                continue
            room[r] -= 1
            chosen.append((r, node))
            count += 1
            expected -= negative
            added_ms = step_ms(base_rows + count) - base_ms + node_ms * count
            rate = expected / (fixed_ms + price * added_ms)
            if rate > best_rate:
                best_rate, best_tokens, best_count = rate, expected, count
            elif hoped < best_rate * (fixed_ms + price * added_ms):
                break  # not even all the rest for nothing would do
        kept: list[list[int]] = [[] for _ in trees]
        for r, node in chosen[:best_count]:
            kept[r].append(node)
        selected = [
            tree if len(nodes) == len(tree) else tree.select(nodes)
            for tree, nodes in zip(trees, kept, strict=True)
        ]
        return Choice(selected, [sorted(nodes) for nodes in kept], best_tokens, best_rate)

    def _ranked(
        self, trees: Sequence[DraftTree], greedy: Sequence[bool]
    ) -> list[tuple[float, int, int]]:
        """All nodes, the most probable first: (minus the chance, request, node)."""
        ranked: list[tuple[float, int, int]] = []
        for r, (tree, flag) in enumerate(zip(trees, greedy, strict=True)):
            if tree.tokens:
                chances = self.calibration.path_chances(tree, flag)
                ranked += [(-chance, r, node) for node, chance in enumerate(chances)]
        ranked.sort()
        return ranked

    def likeliest(self, tree: DraftTree, greedy: bool, most: int | None = None) -> DraftTree:
        """The most probable nodes there is room for, `most` at the most, whatever they cost."""
        chances = self.calibration.path_chances(tree, greedy)
        ranked = sorted(range(len(tree)), key=lambda node: (-chances[node], node))
        room = self.max_nodes if most is None else min(most, self.max_nodes)
        return tree.select(ranked[:room])
