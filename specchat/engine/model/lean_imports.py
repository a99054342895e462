"""Importing transformers without what one process on a CPU never uses of it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from specchat.engine.hardware import cache_directory

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
    with _without_compiler(), _with_known_models(), _without_distribution():
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


# -- what models transformers has --------------------------------------------------------------

_LISTING = "transformers.utils.import_utils"
_LIST = "create_import_structure_from_path"
_NEEDS = "\0"
"""Before the joined names of what the modules below it need to be imported."""


@contextmanager
def _with_known_models() -> Iterator[None]:
    """transformers reads all of its thousands of files, twice, for the names in them. What it has
    found is kept in the user's cache, until there is another transformers."""
    finder = _KnownModels()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _KnownModels(MetaPathFinder):
    """Puts `_remembered` around the function that lists, once its module is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == _LISTING else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            if hasattr(module, _LIST):
                setattr(module, _LIST, _remembered(getattr(module, _LIST)))

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


def _remembered(listing: Callable[[Any], dict[Any, Any]]) -> Callable[[Any], dict[Any, Any]]:
    """`listing`, that of the folder of all models from a file."""

    def listed(path: Any) -> dict[Any, Any]:
        folder = Path(path).parent if Path(path).is_file() else Path(path)
        if folder.name != "models":  # called for each model of it, and for one alone
            return listing(path)
        kept = _kept_at(folder)
        with suppress(OSError, ValueError, AttributeError):
            return _structure(json.loads(kept.read_text(encoding="utf-8")))
        found = listing(path)
        with suppress(OSError):
            part = kept.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps(_plain(found)), encoding="utf-8")
            part.replace(kept)  # whole or not at all
        return found

    return listed


def _kept_at(folder: Path) -> Path:
    """A file for these models and no others."""
    version = getattr(sys.modules["transformers"], "__version__", "")
    which = f"{folder} {folder.stat().st_mtime_ns} {version}"
    return (
        cache_directory() / f"transformers-{hashlib.sha256(which.encode()).hexdigest()[:16]}.json"
    )


def _plain(structure: Any) -> Any:
    """The structure as JSON has it: sets as lists, sets that are keys joined behind `_NEEDS`."""
    if not isinstance(structure, dict):
        return sorted(structure)
    return {
        _NEEDS + ",".join(sorted(key)) if isinstance(key, frozenset) else key: _plain(value)
        for key, value in structure.items()
    }


def _structure(plain: Any) -> Any:
    """What `_plain` was made from."""
    if not isinstance(plain, dict):
        return set(plain)
    return {
        frozenset(filter(None, key[1:].split(","))) if key.startswith(_NEEDS) else key: _structure(
            value
        )
        for key, value in plain.items()
    }
