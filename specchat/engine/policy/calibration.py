"""How often the target agrees with drafters that are as sure as they say.

A logistic regression for each way in which the drafters that were asked can stand to a node. What
the second drafter says of a place tells more than the first one's confidence: a token that both
propose, one that the other contradicts, and one of which the other knows nothing are three
different things (stacking: Wolpert 1992).
"""

from __future__ import annotations

from collections.abc import Sequence

from specchat.engine.drafting.draft_tree import ROOT, DraftTree, Opinions
from specchat.engine.policy.node_choice import path_chances
from specchat.engine.policy.regressions import Regressions


class Calibration:
    """Chance that the target agrees with a draft node whose parent it agreed with, apart for greedy
    and sampled requests."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, ...], bool], Regressions] = {}
        self.step = 0

    def begin_step(self) -> None:
        """Another step of the engine."""
        self.step += 1

    def of(self, drafters: tuple[str, ...], greedy: bool) -> Regressions:
        """The regressions where these drafters were asked, in alphabetical order."""
        known = self._known.get((drafters, greedy))
        if known is None:
            known = self._known[drafters, greedy] = Regressions(drafters)
        return known

    def chance(self, opinions: Opinions, greedy: bool) -> float:
        """Calibrated probability in (0, 1) of a node of which the drafters say this."""
        return self._of(opinions, greedy).chance(opinions, self.step)

    def path_chances(self, tree: DraftTree, greedy: bool) -> list[float]:
        """Of each node: that it and all its ancestors are accepted."""
        own = [self.chance(tree.opinions_of(node), greedy) for node in range(len(tree))]
        return path_chances(tree, own)

    def observe(self, tree: DraftTree, tokens: Sequence[int], greedy: bool) -> None:
        """Learn from what the target chose from the tree's root on, of all nodes that this tells
        something about, whether they were verified or not."""
        reached = {ROOT: 0}  # nodes that the target chose, and the tokens up to them
        for node, parent in enumerate(tree.parents):
            known = reached.get(parent)
            if known is None or known == len(tokens):
                continue
            hit = tree.tokens[node] == tokens[known]
            if hit:
                reached[node] = known + 1
            opinions = tree.opinions_of(node)
            self._of(opinions, greedy).learn(opinions, hit, self.step)
            if len(opinions) > 1:  # what each alone would have been worth
                for own in opinions:
                    if own[1] >= 0.0:
                        self._of((own,), greedy).learn((own,), hit, self.step)

    def _of(self, opinions: Opinions, greedy: bool) -> Regressions:
        return self.of(tuple([name for name, _ in opinions]), greedy)
