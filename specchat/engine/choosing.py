"""The loop of `Policy.choose`: in the native library where there is one, else in Python."""

from __future__ import annotations

import ctypes
import functools
import math
from array import array
from collections.abc import Callable, Sequence
from ctypes import c_double, c_int64, c_void_p
from typing import NamedTuple

from specchat.engine.draft import ROOT, DraftTree
from specchat.engine.native import loaded_library


class Claims(NamedTuple):
    """What is said of a tree's nodes: confidences whose log-odds are turned into chances by bias +
    slope x log-odds; chances as they are where the slope is nan."""

    said: Sequence[float]
    bias: float
    slope: float


class Chosen(NamedTuple):
    """The nodes to verify, and what is expected of them."""

    nodes: list[list[int]]  # of each tree, ascending
    tokens: float  # expected of the step, prompt rows among them
    ms: float


def choose_nodes(
    trees: Sequence[DraftTree],
    claims: Sequence[Claims],
    most_nodes: int,
    step_ms: array[float],
    node_ms: float,
    expected: float,
    fixed_ms: float,
) -> Chosen:
    """The m most probable nodes of all trees, at most `most_nodes` of each, for the m with the
    highest rate. `step_ms[m]` is what a step with m nodes takes, to which each adds `node_ms`;
    without any a step brings `expected` tokens and takes `fixed_ms`."""
    call = _native()
    if call is None:
        return choose_in_python(trees, claims, most_nodes, step_ms, node_ms, expected, fixed_ms)
    counts = [len(tree.tokens) for tree in trees]
    total = sum(counts)
    numbers = array("q", counts)
    said, lines = array("d"), array("d")
    for tree, claim in zip(trees, claims, strict=True):
        lines.append(claim.bias)
        lines.append(claim.slope)
        if tree.tokens:
            numbers.extend(tree.parents)
            said.extend(claim.said)
    kept, best = bytearray(total), array("d", (0.0, 0.0))
    at = numbers.buffer_info()[0]
    flags = (ctypes.c_char * total).from_buffer(kept)
    call(
        len(trees), at, at + 8 * len(trees), said.buffer_info()[0], lines.buffer_info()[0],
        most_nodes, step_ms.buffer_info()[0], node_ms, expected, fixed_ms,
        ctypes.addressof(flags), best.buffer_info()[0],
    )  # fmt: skip
    nodes: list[list[int]] = []
    start = 0
    for count in counts:
        end = start + count
        own = kept.count(1, start, end) if count else 0
        if own == 0:
            nodes.append([])
        elif kept.find(0, start, start + own) < 0:
            nodes.append(list(range(own)))
        else:
            nodes.append([i for i in range(count) if kept[start + i]])
        start = end
    return Chosen(nodes, best[0], best[1])


def choose_in_python(
    trees: Sequence[DraftTree],
    claims: Sequence[Claims],
    most_nodes: int,
    step_ms: Sequence[float],
    node_ms: float,
    expected: float,
    fixed_ms: float,
) -> Chosen:
    """The same, without the library."""
    ranked = []
    for r, (tree, claim) in enumerate(zip(trees, claims, strict=True)):
        chances = path_chances(tree, claim)
        ranked += [(-chance, r, node) for node, chance in enumerate(chances)]
    ranked.sort()
    hoped = expected - sum(negative for negative, _, _ in ranked)  # were all of them verified
    best_expected, best_ms, best_count, count = expected, fixed_ms, 0, 0
    room = [most_nodes] * len(trees)
    chosen: list[tuple[int, int]] = []
    for negative, r, node in ranked:
        if not room[r]:
            continue
        room[r] -= 1
        chosen.append((r, node))
        count += 1
        expected -= negative
        ms = fixed_ms + step_ms[count] - step_ms[0] + node_ms * count
        if expected * best_ms > best_expected * ms:
            best_expected, best_ms, best_count = expected, ms, count
        elif hoped * best_ms < best_expected * ms:
            break  # not even all the rest for nothing would do
    kept: list[list[int]] = [[] for _ in trees]
    for r, node in chosen[:best_count]:
        kept[r].append(node)
    return Chosen([sorted(nodes) for nodes in kept], best_expected, best_ms)


def path_chances(tree: DraftTree, claims: Claims) -> list[float]:
    """Of each node: that it and all its ancestors are accepted.

    Siblings exclude each other, so where they claim more than there is, each is believed less.
    """
    own = list(claims.said)
    if not math.isnan(claims.slope):
        own = [sigmoid(claims.bias + claims.slope * log_odds(said)) for said in own]
    claimed = [0.0] * (len(own) + 1)
    for parent, chance in zip(tree.parents, own, strict=True):
        claimed[parent] += chance
    out: list[float] = []
    for parent, chance in zip(tree.parents, own, strict=True):
        if claimed[parent] > 1.0:
            chance /= claimed[parent]
        out.append(chance if parent == ROOT else chance * out[parent])
    return out


def log_odds(confidence: float) -> float:
    """Of a confidence; those further out than 0.002 and 0.998 count as these."""
    kept = 0.002 if confidence < 0.002 else 0.998 if confidence > 0.998 else confidence
    return math.log(kept / (1.0 - kept))


def sigmoid(odds: float) -> float:
    """The probability that has these log-odds."""
    if odds >= 0.0:
        return 1.0 / (1.0 + math.exp(-odds))
    grown = math.exp(odds)
    return grown / (1.0 + grown)


def _native() -> Callable[..., None] | None:
    library = loaded_library()
    return None if library is None else _bound(library._name)


@functools.cache
def _bound(name: str) -> Callable[..., None]:
    # Too short a call to let others have the interpreter meanwhile.
    call = ctypes.PyDLL(name).choose_nodes
    call.restype = None
    call.argtypes = [
        c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_void_p, c_double, c_double,
        c_double, c_void_p, c_void_p,
    ]  # fmt: skip
    return call
