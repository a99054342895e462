"""Coupled verification: walk a draft tree along the tokens that the target itself chooses.

The target's token after every row is known before the walk (`sampling.choose`); a draft node is
accepted exactly when it is that token. Plain decoding is the walk over the empty tree, so the
answer does not depend on what was drafted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specchat.engine.draft import ROOT, DraftTree


@dataclass(frozen=True, slots=True)
class Walk:
    """The accepted path and the target's own token behind it."""

    nodes: list[int]  # accepted nodes of the tree, root side first
    token: int  # the target's choice after the last accepted node


def walk(tree: DraftTree, choices: Sequence[int]) -> Walk:
    """Follow `choices` (one token per row, root first, then the nodes) through `tree`."""
    by_parent = {
        (parent, token): node
        for node, (parent, token) in enumerate(zip(tree.parents, tree.tokens, strict=True))
    }
    path: list[int] = []
    node = ROOT
    while True:
        token = choices[node + 1]
        child = by_parent.get((node, token))
        if child is None:
            return Walk(path, token)
        path.append(child)
        node = child
