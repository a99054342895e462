"""EAGLE-3 checkpoints: the native layout (SafeAILab) and that of the speculators library.

Native files call the layer `midlayer` and have a Llama configuration with `draft_vocab_size`; the
speculators library calls it `layers.0` and keeps the Llama configuration in
`transformer_layer_config`. In both, `d2t` holds, for each draft token, what to add to its id to
get the target's, and `t2d` marks the target's tokens that can be drafted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import LlamaConfig

from specchat.engine.errors import ModelLoadError
from specchat.speculators.eagle3.network import Eagle3Config, Eagle3Network
from specchat.speculators.shared.checkpoint_files import read_config, read_tensors, take

LEGACY_FILE = "pytorch_model.bin"
VARIANTS = ("norm_before_residual", "norm_before_fc", "fc_norm", "norm_output")

Tensors = dict[str, torch.Tensor]


def load_network(
    directory: Path, *, vocab_size: int, hidden_size: int, layers: int, head: torch.Tensor | None
) -> Eagle3Network:
    """Read a checkpoint for a target of these sizes and number of layers, in float32.

    `head [vocab_size, hidden_size]` is the target's vocabulary matrix, for checkpoints that leave
    it out.

    Raises:
        ModelLoadError: damaged, incomplete, with tensors that belong elsewhere, or made for a
            target of other sizes.
    """
    config = _read(directory, vocab_size, hidden_size, layers)
    tensors = {
        name.replace("midlayer.", "layers.0."): tensor
        for name, tensor in read_tensors(directory, LEGACY_FILE).items()
        if not name.endswith("rotary_emb.inv_freq")
    }
    width = config.layer.hidden_size
    token_ids = _token_ids(tensors, config, directory)
    if "lm_head.weight" not in tensors and token_ids is None and head is not None:
        tensors["lm_head.weight"] = head
    network = Eagle3Network(config, own_embedding="embed_tokens.weight" in tensors)
    if network.embed_tokens is None and width != hidden_size:
        raise ModelLoadError(
            f"{directory} has no embed_tokens, and its hidden states of size {width} do not fit "
            f"the target's embedding of size {hidden_size}"
        )
    _fill(network, tensors, directory)
    network.token_ids = token_ids
    return network.requires_grad_(False).eval()


def _fill(network: nn.Module, tensors: Tensors, directory: Path) -> None:
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(take(tensors, name, tuple(parameter.shape), directory))
    strange = sorted(set(tensors) - set(parameters))
    if strange:
        raise ModelLoadError(f"{directory}: tensor {strange[0]} belongs to no EAGLE-3 head")


def _read(directory: Path, vocab_size: int, hidden_size: int, layers: int) -> Eagle3Config:
    raw = read_config(directory)
    kind = raw.get("speculators_model_type")
    if kind not in (None, "eagle3"):
        raise ModelLoadError(f"{directory}: speculators_model_type must be 'eagle3', got {kind!r}")
    layer = _layer_config(raw.get("transformer_layer_config") if kind else raw, directory)
    if layer.vocab_size != vocab_size:
        raise ModelLoadError(
            f"{directory} drafts for a vocabulary of {layer.vocab_size}, "
            f"but the target's has {vocab_size}"
        )
    own = raw.get("eagle_config") if isinstance(raw.get("eagle_config"), dict) else {}
    theirs = raw.get("target_hidden_size") or layer.hidden_size
    if theirs != hidden_size:
        raise ModelLoadError(
            f"{directory} expects hidden states of size {theirs}, "
            f"but the target's have {hidden_size}"
        )
    ids = raw.get("eagle_aux_hidden_state_layer_ids")
    ids = ids or (own or {}).get("eagle_aux_hidden_state_layer_ids")
    return Eagle3Config(
        layer=layer,
        draft_vocab_size=_draft_vocab_size(raw, vocab_size, directory),
        target_hidden_size=hidden_size,
        aux_layers=_aux_layers(ids, layers, directory),
        **{name: bool(raw.get(name, (own or {}).get(name))) for name in VARIANTS},
    )


def _layer_config(raw: Any, directory: Path) -> Any:
    if not isinstance(raw, dict):
        raise ModelLoadError(f"{directory}: transformer_layer_config must be an object")
    kind = raw.get("model_type", "llama")
    if kind != "llama":
        raise ModelLoadError(f"{directory}: the layer must be a 'llama' one, got {kind!r}")
    missing = [n for n in ("hidden_size", "num_attention_heads", "vocab_size") if n not in raw]
    if missing:
        raise ModelLoadError(f"{directory}: config.json lacks {', '.join(missing)}")
    try:
        config = LlamaConfig.from_dict(raw)
    except Exception as error:  # transformers validates in many ways
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelLoadError(f"{directory}: config.json is no Llama layer: {reason}") from None
    if raw.get("num_hidden_layers", 1) != 1:
        raise ModelLoadError(
            f"{directory}: num_hidden_layers must be 1, got {raw['num_hidden_layers']}"
        )
    return config


def _draft_vocab_size(raw: dict[str, Any], vocab_size: int, directory: Path) -> int:
    size = raw.get("draft_vocab_size")
    size = vocab_size if size is None else size
    if not isinstance(size, int) or not 1 <= size <= vocab_size:
        raise ModelLoadError(
            f"{directory}: draft_vocab_size must be from 1 to {vocab_size}, got {size!r}"
        )
    return size


def _aux_layers(ids: Any, layers: int, directory: Path) -> tuple[int, ...]:
    """The paper's three layers where the checkpoint names none."""
    chosen = (2, layers // 2, layers - 3) if ids is None else ids
    fits = isinstance(chosen, (list, tuple)) and chosen
    if not fits or not all(isinstance(i, int) and 0 <= i < layers for i in chosen):
        raise ModelLoadError(
            f"{directory} reads hidden states of layers {list(chosen) if fits else chosen!r}, "
            f"but the target has layers 0 to {layers - 1}"
        )
    return tuple(chosen)


def _token_ids(tensors: Tensors, config: Eagle3Config, directory: Path) -> torch.Tensor | None:
    """The target's id of each draft token; takes `d2t` and `t2d` out of the tensors."""
    vocab, size = config.layer.vocab_size, config.draft_vocab_size
    offsets, mask = tensors.pop("d2t", None), tensors.pop("t2d", None)
    if offsets is None:
        if size != vocab:
            raise ModelLoadError(
                f"{directory}: tensor d2t is missing, though {size} of {vocab} tokens are drafted"
            )
        return None
    ids = torch.arange(size) + take({"d2t": offsets}, "d2t", (size,), directory).long()
    if ids.min() < 0 or ids.max() >= vocab or len(ids.unique()) != size:
        raise ModelLoadError(
            f"{directory}: d2t must name {size} different tokens below {vocab}; "
            f"it names {len(ids.unique())}, from {int(ids.min())} to {int(ids.max())}"
        )
    if mask is not None:
        marked = take({"t2d": mask}, "t2d", (vocab,), directory).bool()
        if int(marked.sum()) != size or not marked[ids].all():
            raise ModelLoadError(f"{directory}: t2d and d2t name different tokens")
    return ids
