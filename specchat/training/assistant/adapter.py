"""The adapter in training: LoRA on the upper layers of the base, everything else frozen.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", by the `peft` library, whose
format the saved adapter has. The layers below the first adapted one hold no gradient at all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from specchat.pretrained.adapter import CONFIG_FILE, WEIGHTS_FILE
from specchat.training.assistant.adapted_linear import freeze, merge_steps
from specchat.training.assistant.row_attention import RowLengths, use_row_attention
from specchat.training.assistant.rows import Row

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class AdapterShape:
    """Which weights are adapted, and by how much."""

    rank: int = 16
    alpha: int = 32  # the update is multiplied by alpha / rank
    frozen_layers: int = 8  # at the bottom


@dataclass(frozen=True)
class AnswerLosses:
    """Of each token of a row's answers, in order; both [answer tokens]."""

    losses: torch.Tensor
    chosen: torch.Tensor  # bool: whether the token is the model's first choice


class AdapterModel:
    """A base model in float32 with an adapter that learns; a part of checkpoints."""

    def __init__(
        self, base: Any, shape: AdapterShape, products: torch.dtype = torch.float32
    ) -> None:
        """`base` is a transformers causal LM, changed in place; `products` is the precision in
        which its frozen weights are multiplied.

        Raises:
            ValueError: peft is not installed, or the base has no layer above the frozen ones.
        """
        layers = base.config.num_hidden_layers
        if not 0 <= shape.frozen_layers < layers:
            raise ValueError(
                f"frozen_layers must be below the base's {layers} layers, got {shape.frozen_layers}"
            )
        self.peft = _adapted(base, shape, layers)
        self._inner = base
        use_row_attention(base)
        adapted = [module for module in base.modules() if hasattr(module, "lora_A")]
        inside = {part for layer in adapted for part in layer.modules()}
        for module in base.modules():
            if isinstance(module, torch.nn.Linear) and module.bias is None and module not in inside:
                freeze(module, products)
        for layer in adapted:
            merge_steps(layer, products)
        self.parameters = [p for p in self.peft.parameters() if p.requires_grad]

    def losses(self, row: Row) -> AnswerLosses:
        """What the model makes of a row's answers; with gradients where they are on."""
        hidden = self._inner.model(
            input_ids=torch.tensor([row.ids()]),
            position_ids=torch.tensor([row.positions()]),
            use_cache=False,
            row=RowLengths(len(row.trunk), tuple(map(len, row.branches))),
        ).last_hidden_state
        logits = self._inner.lm_head(hidden[0, row.before_answers()])
        targets = torch.tensor(row.answers())
        losses = F.cross_entropy(logits, targets, reduction="none")
        return AnswerLosses(losses, logits.detach().argmax(-1) == targets)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The adapter's own weights, for checkpoints."""
        return {name: p.detach() for name, p in self._named()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Weights of a checkpoint. Raises `KeyError` or `RuntimeError` for another adapter's."""
        with torch.no_grad():
            for name, parameter in self._named():
                parameter.copy_(state[name])

    def start_from(self, folder: Path) -> None:
        """The weights of a saved adapter of the same shape, to go on from.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is of another shape.
        """
        from peft import set_peft_model_state_dict

        stored = load_file(folder / WEIGHTS_FILE)
        wanted = dict(self._named())
        found = {name.replace(".weight", ".default.weight"): t for name, t in stored.items()}
        if {n: t.shape for n, t in found.items()} != {n: p.shape for n, p in wanted.items()}:
            raise ValueError(f"the adapter in {folder} has another rank or other layers")
        set_peft_model_state_dict(self.peft, stored)

    def save(self, folder: Path, base_name: str, dtype: torch.dtype = torch.bfloat16) -> None:
        """Writes the adapter in peft's format, for the base known as `base_name`; each file is
        replaced in one move, whenever the program is killed."""
        partial = folder / ".partial"
        self.peft.save_pretrained(partial)
        config_file, weights_file = partial / CONFIG_FILE, partial / WEIGHTS_FILE
        config = json.loads(config_file.read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = base_name  # where it lies is this machine's business
        config_file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        stored = {name: t.to(dtype).contiguous() for name, t in load_file(weights_file).items()}
        save_file(stored, weights_file, metadata={"format": "pt"})
        weights_file.chmod(0o644)  # safetensors lets nobody else read
        for file in (config_file, weights_file):
            file.replace(folder / file.name)
        shutil.rmtree(partial)

    def _named(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(name, p) for name, p in self.peft.named_parameters() if p.requires_grad]


def _adapted(base: Any, shape: AdapterShape, layers: int) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise ValueError(
            "training an adapter needs peft; install it with pip install 'specchat[train]'"
        ) from None
    return get_peft_model(
        base,
        LoraConfig(
            r=shape.rank,
            lora_alpha=shape.alpha,
            target_modules=list(MODULES),
            layers_to_transform=list(range(shape.frozen_layers, layers)),
            task_type="CAUSAL_LM",
            bias="none",
        ),
    )
