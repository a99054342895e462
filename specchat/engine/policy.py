"""How many draft nodes to verify: measured costs against calibrated chances.

Each step maximises expected tokens per millisecond, (B + F + sum of P) / (t(B + F + m) + d + o),
over the m most probable nodes of all requests' trees, where B is the number of decoding requests, F
the rows of prompts in the step, P a node's chance of being accepted, t the measured time of a step
of that many rows, d what drafting and o what the rest of the step costs. Prompt rows count as
tokens: somebody waits for them, and where a row is dear a draft must not take their place. The
empty tree is always a candidate. A request whose drafts do not pay is decoded plainly and tried
again later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from specchat.engine.calibration import Calibration
from specchat.engine.choosing import choose_nodes
from specchat.engine.draft import DraftTree
from specchat.engine.step_cost import Overhead, StepCost


@dataclass(frozen=True, slots=True)
class Choice:
    """The nodes to verify, and what is expected of them."""

    trees: list[DraftTree]
    nodes: list[list[int]]  # of the proposed trees, which these are the sub-trees of
    tokens: float  # expected of the step, over all decoding requests
    prompt_rows: int
    ms: float  # expected

    @property
    def rate(self) -> float:
        """Expected tokens and prompt rows per millisecond."""
        return self.believed(1.0)

    def believed(self, trust: float) -> float:
        """The rate where that part of the draft tokens is accepted that are expected to be."""
        requests = len(self.trees)
        tokens = requests + trust * (self.tokens - requests)
        return (tokens + self.prompt_rows) / self.ms

    def later(self, ms: float) -> Choice:
        """The same nodes, after so much more time for drafting."""
        return replace(self, ms=self.ms + ms)


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
        prompt_rows: int,
        draft_ms: float,
    ) -> Choice:
        """The part of each tree worth verifying in a step that also has `prompt_rows` rows of
        prefill. `trees` holds one, possibly empty, tree per decoding request."""
        requests, base_rows = len(trees), len(trees) + prompt_rows
        base_ms = self.cost.step_ms(base_rows)
        fixed_ms = base_ms + self.overhead.ms(requests) + draft_ms
        if not any(tree.tokens for tree in trees):
            return Choice(list(trees), [[] for _ in trees], float(requests), prompt_rows, fixed_ms)
        times = self.cost.table(base_rows, sum([len(tree.tokens) for tree in trees]))
        kept, tokens, ms = choose_nodes(
            trees,
            [self.calibration.claims(tree, own) for tree, own in zip(trees, greedy, strict=True)],
            self.max_nodes,
            times,
            self.overhead.node_ms,
            float(base_rows),
            fixed_ms,
        )
        selected = [
            tree if len(nodes) == len(tree.tokens) else tree.select(nodes)
            for tree, nodes in zip(trees, kept, strict=True)
        ]
        return Choice(selected, kept, tokens - prompt_rows, prompt_rows, ms)

    def likeliest(self, tree: DraftTree, greedy: bool, most: int | None = None) -> DraftTree:
        """The most probable nodes there is room for, `most` at the most, whatever they cost."""
        chances = self.calibration.path_chances(tree, greedy)
        ranked = sorted(range(len(tree)), key=lambda node: (-chances[node], node))
        room = self.max_nodes if most is None else min(most, self.max_nodes)
        return tree.select(ranked[:room])
