"""From a speculator's spelling to a speculator for one target.

`ngram`; `suffix`, which begins empty where no store lies beside the model; `mlp`, `medusa`,
`eagle3` and `draft` for those that lie beside the model; `mlp:`, `medusa:`, `eagle3:` and `draft:`
with a directory or Hub name; `suffix:` with a store file; `suffix@300` for so many answers of the
store beside the model, named so, to compare sizes; `auto` for those that are worth having
without being asked for.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from specchat.engine.drafting.speculator import Speculator
from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.memory_plan import weights_bytes
from specchat.engine.model.compiled import CompileQueue
from specchat.engine.model.pretrained import MODEL_FILES, find_files
from specchat.engine.model.runner import ModelRunner
from specchat.speculators.draft_model import load_draft_model
from specchat.speculators.eagle3 import checkpoint
from specchat.speculators.eagle3.speculator import load_eagle3
from specchat.speculators.medusa import heads
from specchat.speculators.medusa.speculator import load_medusa
from specchat.speculators.mlp.speculator import load_mlp
from specchat.speculators.ngram import NgramSpeculator
from specchat.speculators.shared.own_cache import CACHE_SHARE
from specchat.speculators.suffix.speculator import SuffixSpeculator
from specchat.speculators.suffix.store_file import load_store, vocabulary_of
from specchat.speculators.suffix.suffix_array import SuffixOptions, frequent_tokens

log = logging.getLogger(__name__)

MLP_DIRECTORY = "mlp_speculator"
DRAFT_DIRECTORY = "draft"
MEDUSA_DIRECTORY = "medusa"
EAGLE3_DIRECTORY = "eagle3"
SUFFIX_STORE = "suffix_store.safetensors"
DRAFT_VOCABULARY_SHARE = 0.995
LEAST_VOCABULARY_TEXT = 100_000  # tokens of answers: fewer do not tell what others are made of

KNOWN_MLP = {
    "ibm-granite/granite-20b-code-instruct": "ibm-granite/granite-20b-code-instruct-accelerator",
    "ibm-granite/granite-34b-code-instruct": "ibm-granite/granite-34b-code-instruct-accelerator",
    "ibm-granite/granite-8b-code-instruct": "ibm-granite/granite-8b-code-instruct-accelerator",
    "ibm-granite/granite-7b-instruct": "ibm-granite/granite-7b-instruct-accelerator",
    "meta-llama/Meta-Llama-3-8B-Instruct": "ibm-ai-platform/llama3-8b-accelerator",
    "JackFram/llama-160m": "ibm-fms/llama-160m-accelerator",
}
"""MLP speculators published for well-known targets."""


@dataclass(frozen=True, slots=True)
class Target:
    """What speculators are loaded for."""

    name: str  # as the user spelled it
    directory: Path
    family: Path  # holds the speculators that belong to it
    tokenizer: Any  # PreTrainedTokenizerFast
    runner: ModelRunner
    queue: CompileQueue  # not started yet


def spell_out(entries: Sequence[str], name: str, family: Path) -> list[str]:
    """The entries with `auto` replaced by what belongs to the model of that name, whose speculators
    lie in `family`; each once."""
    spelled: list[str] = []
    for entry in entries:
        if entry != "auto":
            spelled.append(entry)
            continue
        if (family / MLP_DIRECTORY).is_dir() or name in KNOWN_MLP:
            spelled.append("mlp")
        spelled += ["suffix", "ngram"]
    return list(dict.fromkeys(spelled))


@dataclass(frozen=True, slots=True)
class Needs:
    """Memory that speculators take beside their target."""

    weights: int = 0  # bytes
    cache_share: float = 0.0  # of the target's KV cache, for caches of their own


def needs(entries: Sequence[str], name: str, family: Path, dtype: torch.dtype) -> Needs:
    """What speculators spelled out will take, weights in `dtype`, before any is loaded. One that
    is not found counts nothing: loading it says what is wrong."""
    weights, caches = 0, 0
    for entry in entries:
        kind, _, where = entry.partition(":")
        if kind not in _NEURAL:
            continue
        try:
            directory = weights_directory(kind, where, name, family)
        except ModelLoadError:
            continue
        legacy = (directory / file for file in (heads.LEGACY_FILE, checkpoint.LEGACY_FILE))
        weights += weights_bytes(directory, dtype) or sum(
            file.stat().st_size for file in legacy if file.is_file()
        )
        caches += kind in ("eagle3", "draft")
    return Needs(weights, CACHE_SHARE * caches)


def load_speculator(entry: str, target: Target) -> Speculator:
    """The speculator of one spelling other than `auto`.

    Raises:
        ModelLoadError: an unknown spelling; or it is missing, damaged, or made for another target.
    """
    name, colon, where = entry.partition(":")
    if re.fullmatch(r"suffix@\d+", entry):
        return _part_of_store(entry, target)
    if name not in _LOADERS or (colon and not where) or (name == "ngram" and where):
        raise ModelLoadError(
            "speculator must be 'auto', 'ngram', 'suffix', 'suffix:FILE', or one of "
            f"{', '.join(_NEURAL)}, alone or with ':PATH', got {entry!r}"
        )
    return _LOADERS[name](where, target)


def _load_ngram(where: str, target: Target) -> Speculator:
    return NgramSpeculator()


def _load_suffix(where: str, target: Target) -> Speculator:
    path = Path(where) if where else target.family / SUFFIX_STORE
    seed = _read_store(path, target) if where or path.is_file() else []
    on_cuda_device = target.runner.device.type == "cuda"  # where a row costs next to nothing
    options = SuffixOptions(least_chance=0.05) if on_cuda_device else SuffixOptions()
    return SuffixSpeculator(seed, options=options, in_background=True)


def _part_of_store(entry: str, target: Target) -> Speculator:
    """So many answers of the store beside the model, drawn at random but always the same."""
    answers = _read_store(target.family / SUFFIX_STORE, target)
    size = int(entry.partition("@")[2])
    if size > len(answers):
        raise ModelLoadError(f"{entry}: the store of {target.name} holds {len(answers)} answers")
    speculator = SuffixSpeculator(random.Random(0).sample(answers, size), in_background=True)
    speculator.name = entry
    return speculator


def _read_store(path: Path, target: Target) -> list[npt.NDArray[np.int32]]:
    return load_store(path, vocabulary_of(target.tokenizer), target.runner.shape.vocab_size)


def _load_mlp(where: str, target: Target) -> Speculator:
    runner = target.runner
    return load_mlp(
        _directory("mlp", where, target),
        vocab_size=runner.shape.vocab_size,
        hidden_size=runner.shape.hidden_size,
        dtype=runner.dtype,
        device=runner.device,
        queue=target.queue,
        vocabulary=_draft_vocabulary(target),
    )


def _load_medusa(where: str, target: Target) -> Speculator:
    runner = target.runner
    return load_medusa(
        _directory("medusa", where, target),
        vocab_size=runner.shape.vocab_size,
        hidden_size=runner.shape.hidden_size,
        dtype=runner.dtype,
        device=runner.device,
    )


def _load_eagle3(where: str, target: Target) -> Speculator:
    return load_eagle3(_directory("eagle3", where, target), target.runner)


def _load_draft(where: str, target: Target) -> Speculator:
    return load_draft_model(
        _directory("draft", where, target),
        target.runner,
        target.tokenizer,
        target_name=target.name,
        queue=target.queue,
    )


_LOADERS: dict[str, Callable[[str, Target], Speculator]] = {
    "ngram": _load_ngram,
    "suffix": _load_suffix,
    "mlp": _load_mlp,
    "medusa": _load_medusa,
    "eagle3": _load_eagle3,
    "draft": _load_draft,
}


_NEURAL = ("mlp", "medusa", "eagle3", "draft")


def weights_directory(kind: str, where: str, name: str, family: Path) -> Path:
    """Where the weights of a speculator lie: the directory or Hub name given, or what belongs to
    the target of that name, whose speculators lie in `family`.

    Raises:
        ModelLoadError: there are none.
    """
    if where:
        return _speculator_files(where)
    folder, what = _BESIDE[kind]
    beside = family / folder
    if beside.is_dir():
        return beside
    if kind == "mlp" and name in KNOWN_MLP:
        return _speculator_files(KNOWN_MLP[name])
    if kind == "mlp":
        raise ModelLoadError(
            f"no MLP speculator is known for {name!r}; name one as 'mlp:PATH' or use 'ngram' alone"
        )
    raise ModelLoadError(f"no {what} of its own found for {name!r}; name one as '{kind}:PATH'")


_BESIDE = {
    "mlp": (MLP_DIRECTORY, "MLP speculator"),
    "medusa": (MEDUSA_DIRECTORY, "Medusa heads"),
    "eagle3": (EAGLE3_DIRECTORY, "EAGLE-3 head"),
    "draft": (DRAFT_DIRECTORY, "draft model"),
}


def _directory(kind: str, where: str, target: Target) -> Path:
    return weights_directory(kind, where, target.name, target.family)


def _speculator_files(where: str) -> Path:
    legacy = heads.LEGACY_FILE, checkpoint.LEGACY_FILE
    return find_files(where, "speculator", (*MODEL_FILES, *legacy))


def _draft_vocabulary(target: Target) -> list[int] | None:
    """The tokens that answers are made of, where earlier answers are known; else all."""
    path = target.family / SUFFIX_STORE
    if not path.is_file():
        return None
    try:
        answers = _read_store(path, target)
    except ModelLoadError as error:
        log.warning("drafts of the MLP speculator come from the whole vocabulary: %s", error)
        return None
    if sum(map(len, answers)) < LEAST_VOCABULARY_TEXT:
        return None
    return frequent_tokens(answers, DRAFT_VOCABULARY_SHARE) or None
