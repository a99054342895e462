"""Recording what a function launches on a GPU as a CUDA graph, to be replayed as one launch."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from specchat.engine.hardware import on_card

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Recording:
    """A function's work on fixed tensors: `replay` does it again and `output` then holds it."""

    replay: Callable[[], None]
    output: Any


Recorder = Callable[[Callable[[], Any]], Recording]


def record(function: Callable[[], Any]) -> Recording:
    """Record what `function` launches on the current card as a CUDA graph.

    The graphs of one process share their working memory, so an output is valid until any of them
    is replayed. Raises what CUDA raises when `function` does what cannot be recorded.
    """
    device = torch.cuda.current_device()
    current, stream = torch.cuda.current_stream(), _recording_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):  # libraries and Triton prepare what they need on first use
        for _ in range(2):
            function()
    current.wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    recording = torch.cuda.graph(
        graph, pool=_pool(device), stream=stream, capture_error_mode="thread_local"
    )
    with torch.cuda.stream(current), recording:  # the current one again, also after a failure
        output = function()
    _LIVE[graph] = device
    return Recording(graph.replay, output)


@functools.cache
def _recording_stream(device: int) -> torch.cuda.Stream:
    """The only one that is recorded on: libraries keep working memory for every stream they see."""
    return torch.cuda.Stream(device)


def recorded_function(
    function: Callable[..., Any], inputs: Sequence[Any], recorder: Recorder = record
) -> Callable[..., Any]:
    """`function` as a recording on copies of `inputs`; call it with tensors of their shapes."""
    static = [tensor.clone() for tensor in inputs]
    with on_card(inputs[0].device):
        recording = recorder(lambda: function(*static))

    def call(*tensors: torch.Tensor) -> Any:
        for mine, given in zip(static, tensors, strict=True):
            mine.copy_(given, non_blocking=True)
        recording.replay()
        return recording.output

    return call


_LIVE: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
"""Recorded graphs: a pool lives as long as a graph that uses it."""


def _pool(device: int) -> Any:
    """The working memory of the graphs recorded on a card, or a new one after they are gone."""
    for graph, where in list(_LIVE.items()):
        if where == device:
            return graph.pool()
    return torch.cuda.graph_pool_handle()
