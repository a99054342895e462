"""MLP drafts on CPU as one call of `cpp/native.cpp`."""

from __future__ import annotations

import ctypes
import logging
from array import array
from collections.abc import Sequence
from ctypes import byref

import torch
import torch.nn.functional as F
from torch import nn

from specchat.engine.drafting.draft_tree import ROOT
from specchat.engine.drafting.packed_trees import Column, PackedTrees
from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.native import library as native
from specchat.engine.native.library import NativeUnavailableError
from specchat.speculators.mlp.heads import MlpHeads

log = logging.getLogger(__name__)

LEAST_CHANCE = 0.1
"""Of a whole chain: a stage behind one that is less likely costs more than it earns."""

TOLERANCE = 2e-2  # of a probability; the heads may be bf16 in PyTorch, and are float32 here


def stage_parents(stages: int, siblings: int) -> list[int]:
    """Of each stage's tokens, best first: all continue the best one of the stage before."""
    firsts = [ROOT, *range(0, siblings * (stages - 1), siblings)]
    return [parent for parent in firsts for _ in range(siblings)]


class NativeMlp:
    """The job that brings native drafting into use; then drafts for all requests of a step."""

    name = "native MLP drafts"

    def __init__(
        self,
        source: str,
        heads: MlpHeads,
        siblings: int,
        vocabulary: Sequence[int] | None = None,
    ) -> None:
        """`source`: the drafter's name; `vocabulary`: the only tokens to draft, where others are
        too rare to pay for."""
        self._source = source
        self._parents = array("q", stage_parents(heads.config.n_predict, siblings))
        self._heads = heads
        self._tokens = None if vocabulary is None else torch.tensor(sorted(vocabulary))
        self._siblings = siblings
        self._library: ctypes.CDLL | None = None
        self._drafter = native.Drafter()
        self._shelf = native.Shelf()
        self._arrays: list[ctypes.Array] = []
        self._scratch = torch.empty(0)

    @property
    def ready(self) -> bool:
        """True once drafts are made natively."""
        return self._library is not None

    def wanted(self) -> bool:
        """Whether to try."""
        return True

    def compile(self) -> None:
        """Build, compare with PyTorch on a probe and take over; or say why not in the log."""
        try:
            library = native.load_library()
            self._drafter = self._describe()
            self._probe(library)
        except NativeUnavailableError as error:
            log.info("native MLP drafts are not used: %s", error)
            return
        self._library = library

    def run(self, contexts: Sequence[DraftContext]) -> PackedTrees:
        """The chain of best tokens for each request, no longer than is likely to be of use, with
        the runners-up of each stage as leaves. All contexts have a hidden state."""
        assert self._library is not None
        return self._run(self._library, contexts, LEAST_CHANCE)

    def _run(
        self, library: ctypes.CDLL, contexts: Sequence[DraftContext], least_chance: float
    ) -> PackedTrees:
        config, count, siblings = self._heads.config, len(contexts), self._siblings
        threads = torch.get_num_threads()
        wide = max(config.emb_dim, config.inner_dim)
        needed = count * (2 * wide + config.vocab_size + 1)
        needed += library.room_floats(count, wide, threads)
        if self._scratch.numel() < needed:
            self._scratch = torch.empty(needed)
        kept: list[torch.Tensor] = []  # until the call is over
        hidden: list[int] = []
        noise: list[int] = []
        for context in contexts:
            assert context.hidden is not None
            kept.append(_as_read(context.hidden))
            hidden.append(kept[-1].data_ptr())
            if context.gumbel is None:
                noise.append(0)
                continue
            missing = config.n_predict - len(context.gumbel)
            gumbel = context.gumbel if missing <= 0 else F.pad(context.gumbel, (0, 0, 0, missing))
            kept.append(_as_read(gumbel))
            noise.append(kept[-1].data_ptr())
        last = [context.tokens[-1] for context in contexts]
        heat = array("f", [1 / c.temperature if c.temperature else 1.0 for c in contexts])
        stride = config.n_predict * siblings
        numbers = array("q", [*hidden, *noise, *last, *bytes(count * (1 + stride))])
        chances = array("f", bytes(4 * count * stride))
        at = numbers.buffer_info()[0]
        library.run_draft(
            byref(self._drafter),
            count,
            siblings,
            at,
            at + 8 * 2 * count,
            heat.buffer_info()[0],
            at + 8 * count,
            self._scratch.data_ptr(),
            at + 8 * 4 * count,
            chances.buffer_info()[0],
            at + 8 * 3 * count,
            least_chance,
            threads,
        )
        return PackedTrees(
            self._source,
            count,
            Column(numbers, 3 * count, 1),
            Column(numbers, 4 * count, stride),
            Column(self._parents, 0, 0),
            Column(chances, 0, stride),
            siblings,
        )

    def _describe(self) -> native.Drafter:
        heads, config = self._heads, self._heads.config
        return native.Drafter(
            config.n_predict,
            config.emb_dim,
            config.inner_dim,
            config.vocab_size,
            int(config.scale_input),
            config.vocab_size if self._tokens is None else len(self._tokens),
            None if self._tokens is None else self._tokens.data_ptr(),
            heads.state_weight,
            heads.emb_weight,
            self._stages(heads.emb, native.Table),
            self._stages(heads.proj, native.Matrix),
            self._stages(heads.head, native.Matrix, self._tokens),
            self._vectors(heads.ln_weight),
            self._vectors(heads.ln_bias),
        )

    def _stages(
        self,
        stages: nn.ParameterList,
        kind: type[ctypes.Structure],
        rows: torch.Tensor | None = None,
    ) -> ctypes.Array:
        """One structure per stage, of all rows or some; shared weights share their copy."""
        made: dict[int, ctypes.Structure] = {}
        for weight in stages:
            if weight.data_ptr() not in made:
                made[weight.data_ptr()] = (
                    native.table(weight, self._shelf)
                    if kind is native.Table
                    else native.matrix(
                        weight if rows is None else weight[rows], None, self._shelf, True
                    )
                )
        array = (kind * len(stages))(*(made[weight.data_ptr()] for weight in stages))
        self._arrays.append(array)
        return array

    def _vectors(self, stages: nn.ParameterList) -> ctypes.Array:
        array = (ctypes.c_void_p * len(stages))(*(native.vector(v, self._shelf) for v in stages))
        self._arrays.append(array)
        return array

    def _probe(self, library: ctypes.CDLL) -> None:
        """Raises NativeUnavailableError when PyTorch computes something else."""
        config = self._heads.config
        generator = torch.Generator().manual_seed(0)
        hidden = torch.randn(3, config.emb_dim, generator=generator)
        last = torch.arange(3) % config.vocab_size
        inverse = torch.tensor([1.0, 1.25, 2.0])
        gumbel = torch.rand(3, config.n_predict, config.vocab_size, generator=generator)
        if self._tokens is not None:  # PyTorch drafts from all tokens
            rare = torch.ones(config.vocab_size, dtype=torch.bool)
            rare[self._tokens] = False
            gumbel[..., rare] = -torch.inf
        with torch.inference_mode():
            dtype = self._heads.head[0].dtype
            wanted, chances = self._heads(
                hidden.to(dtype), last, inverse[:, None], gumbel, self._siblings
            )
        contexts = [
            DraftContext("", [int(last[i])], 0, "", hidden[i], 1 / float(inverse[i]), gumbel[i], 1)
            for i in range(len(last))
        ]
        mine = self._run(library, contexts, 0.0)
        # Later stages depend on the tokens before, so a near tie may part them: compare the first.
        many = self._siblings
        first = torch.tensor([each.confidence[:many] for each in mine])
        off = float((chances[:, 0] - first).abs().max())
        if self._tokens is not None:  # chances are among the drafted tokens
            off = 0.0
        best = torch.tensor([each.tokens[0] for each in mine])
        if not (off < TOLERANCE and (best == wanted[:, 0, 0]).all()):
            raise NativeUnavailableError(f"they differ from PyTorch by {off:.2g}")


def _as_read(tensor: torch.Tensor) -> torch.Tensor:
    """Float32 with the rows one after the other: itself, as a rule."""
    if tensor.dtype == torch.float32 and tensor.is_contiguous():
        return tensor
    return tensor.float().contiguous()
