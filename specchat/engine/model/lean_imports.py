"""Importing transformers without what one process on a CPU never uses of it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

_DYNAMO = "torch._dynamo"
_MARKS = ("allow_in_graph", "assume_constant_result", "disable")
"""Decorators of torch._dynamo that only say something to whoever compiles the function."""

_PARTS = (
    "transformers.modeling_utils",
    "transformers.masking_utils",
    "transformers.modeling_layers",
)
"""What every model of transformers imports."""


def import_transformers() -> None:
    """Import what all models share, half as long as it takes otherwise: without the compiler,
    symbolic mathematics and tensors spread over machines. What is compiled later imports its
    compiler then; of transformers' parallel training nothing is left in this process.

    For processes of specchat's own, before anything imports transformers. Where it is imported
    already, or there is a GPU, nothing is left out.
    """
    if "transformers.modeling_utils" in sys.modules or torch.cuda.is_available():
        return
    with _without_compiler(), _without_distribution():
        for part in _PARTS:
            importlib.import_module(part)


class _Compiler(ModuleType):
    """torch._dynamo until somebody needs more of it than its marks."""

    def __getattr__(self, name: str) -> Any:
        if name in _MARKS:
            return _unmarked
        if name.startswith("__"):
            raise AttributeError(name)
        _give_way(self)
        return getattr(importlib.import_module(_DYNAMO), name)


def _unmarked(function: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:
    """The function as it is, or a decorator that leaves one so."""
    return _unmarked if function is None else function


@contextmanager
def _without_compiler() -> Iterator[None]:
    """transformers imports torch._dynamo for one class of it and for marks on functions that a CPU
    never calls."""
    spec = importlib.util.find_spec(_DYNAMO)
    if _DYNAMO in sys.modules or spec is None:
        yield
        return
    stand_in = _Compiler(_DYNAMO)
    stand_in.__path__ = list(spec.submodule_search_locations or ())
    stand_in.__spec__ = spec
    sys.modules[_DYNAMO] = stand_in
    torch._dynamo = stand_in
    try:
        yield
    finally:
        _give_way(stand_in)


def _give_way(stand_in: ModuleType) -> None:
    """Whoever asks for torch._dynamo from now on gets it."""
    if sys.modules.get(_DYNAMO) is stand_in:
        del sys.modules[_DYNAMO]
    if vars(torch).get("_dynamo") is stand_in:
        del torch._dynamo


@contextmanager
def _without_distribution() -> Iterator[None]:
    """What transformers does where torch was built for one process."""
    available = torch.distributed.is_available
    torch.distributed.is_available = lambda: False
    try:
        from transformers.utils import is_torch_distributed_available

        is_torch_distributed_available()  # which remembers it
        yield
    finally:
        torch.distributed.is_available = available
