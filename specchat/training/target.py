"""The `care` target: a small Llama trained from scratch on packed conversations."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from specchat.training.corpus.packing import Batch, Sample, batches, collate, pack
from specchat.training.loop import Loop, StepReport
from specchat.training.tokenizer import CONTEXT


@dataclass(frozen=True)
class TargetSettings:
    """How the target is trained; the defaults made the bundled model."""

    minutes: float = 66.0  # of wall clock; the learning rate reaches 0 at its end
    length: int = 384  # tokens in a row
    rows: int = 12  # in a batch
    long_share: float = 0.1  # last part of the time, trained on rows of twice the length
    muon_lr: float = 3e-3  # hidden matrices (Muon, scaled to match AdamW's update size)
    adam_lr: float = 2e-3  # embedding and norms
    weight_decay: float = 0.05
    warmup: float = 0.02  # share of the time
    flat: float = 0.35  # share of the time before the linear decay to 0
    checkpoint_minutes: float = 3.0
    compile: bool = True
    seed: int = 17


def target_config(tokenizer: PreTrainedTokenizerFast, **changes: int) -> LlamaConfig:
    """The bundled target's architecture: 19.8 M parameters."""
    settings: dict = {
        "vocab_size": len(tokenizer),
        "hidden_size": 512,
        "intermediate_size": 1408,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "use_cache": True,
    }
    return LlamaConfig(**(settings | changes))


def batch_loss(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """The weighted mean of the next-token losses of a batch."""
    losses, weights = token_losses(model, batch)
    return (losses * weights).sum() / weights.sum()


def token_losses(model: LlamaForCausalLM, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Next-token losses and their weights, both [tokens that have a weight].

    bf16 matrix products, float32 loss.
    """
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.model(
            input_ids=batch.ids,
            position_ids=batch.positions,
            attention_mask=batch.mask,
            use_cache=False,
        ).last_hidden_state
        kept = batch.weights.flatten() > 0
        logits = model.lm_head(hidden.flatten(0, 1)[kept])
    losses = F.cross_entropy(logits.float(), batch.targets.flatten()[kept], reduction="none")
    return losses, batch.weights.flatten()[kept]


class Trainer:
    """Trains a model for a given wall-clock time; saves and resumes.

    The schedule follows the share of the time used, so that it ends on time whatever else
    runs on the machine.
    """

    def __init__(
        self,
        model: LlamaForCausalLM,
        tokenizer: PreTrainedTokenizerFast,
        folder: Path,
        settings: TargetSettings,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.optimizers = make_optimizers(model, settings)
        parts = {"model": model, "optimizers": self.optimizers}
        self.loop = Loop(folder, settings.minutes, settings.checkpoint_minutes, parts)
        self.loop.counts = {"tokens": 0}

    @property
    def step(self) -> int:
        """Updates so far."""
        return self.loop.step

    @property
    def progress(self) -> float:
        """Share of the planned time that is used up, 0 to 1."""
        return self.loop.progress

    def resume(self) -> bool:
        """Continues from the folder's checkpoint; False when there is none."""
        return self.loop.resume()

    def train(
        self,
        samples: Sequence[Sample],
        long_samples: Sequence[Sample],
        max_steps: int | None = None,
        loss: Callable[[LlamaForCausalLM, Batch], torch.Tensor] = batch_loss,
        on_checkpoint: Callable[["Trainer"], None] = lambda trainer: None,
        say: Callable[[str], None] = print,
    ) -> float:
        """Trains until the time or `max_steps` is used up; returns the last smoothed loss."""
        if self.settings.compile:
            self.model.model.compile(dynamic=False)
        self.model.train()
        stream = self._stream(samples, long_samples)

        def update() -> StepReport:
            batch = next(stream)
            value = self._update(batch, loss)
            self.loop.counts["tokens"] += int((batch.positions > 0).sum())
            return StepReport(value, f"{self.loop.counts['tokens'] / 1e6:.2f} M tokens")

        return self.loop.run(update, max_steps, lambda: on_checkpoint(self), say, say_every=20)

    def _stream(self, samples: Sequence[Sample], long_samples: Sequence[Sample]) -> Iterator[Batch]:
        """Batches of the usual length, then of twice the length for the last share of the time."""
        s, pad = self.settings, self.tokenizer.pad_token_id
        usual = batches(samples, s.length, s.rows, pad, s.seed, skip=self.step)
        double = batches(
            long_samples, 2 * s.length, max(1, s.rows // 2), pad, s.seed + self.step + 1
        )
        while True:
            yield next(usual if self.progress < 1 - s.long_share else double)

    def _update(self, batch: Batch, loss: Callable) -> float:
        factor = learning_rate_factor(self.progress, self.settings)
        value = loss(self.model, batch)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return value.item()


def make_optimizers(
    model: LlamaForCausalLM, settings: TargetSettings
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for the embedding and the norms."""
    named = dict(model.named_parameters())
    matrices = [p for name, p in named.items() if p.ndim == 2 and "layers." in name]
    others = [p for name, p in named.items() if not (p.ndim == 2 and "layers." in name)]
    muon = torch.optim.Muon(
        matrices,
        lr=settings.muon_lr,
        weight_decay=settings.weight_decay,
        momentum=0.95,
        ns_steps=4,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(
        others, lr=settings.adam_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return [muon, adam]


def learning_rate_factor(progress: float, settings: TargetSettings) -> float:
    """Warm-up, flat, then linear to 0: the factor at a share `progress` of the time."""
    if progress < settings.warmup:
        return max(0.02, progress / settings.warmup)
    if progress < settings.flat:
        return 1.0
    return max(0.0, (1 - progress) / (1 - settings.flat))


def heldout_loss(
    model: LlamaForCausalLM,
    samples: Sequence[Sample],
    pad: int,
    length: int = 384,
    rows: int = 12,
    max_batches: int | None = None,
) -> dict[str, float]:
    """Mean next-token loss in nats over held-out samples: agents' tokens, and all tokens.

    The model runs as in training (bf16 autocast, same shapes), so that a compiled one is reused.
    """
    agent, agent_tokens, total, tokens = 0.0, 0, 0.0, 0
    packed = pack(samples, length, seed=0)
    packed += [[] for _ in range(-len(packed) % rows)]
    for start in range(0, len(packed), rows)[:max_batches]:
        batch = collate(packed[start : start + rows], length, pad)
        losses, weights = token_losses(model, batch)
        losses = losses.detach()
        agent += losses[weights == 1].sum().item()
        agent_tokens += int((weights == 1).sum())
        total += losses.sum().item()
        tokens += losses.numel()
    return {"assistant": agent / agent_tokens, "all": total / tokens, "tokens": tokens}


def export(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast | None, folder: Path
) -> None:
    """Writes the model in bf16 as safetensors, its generation settings and its tokenizer.

    A draft model has the target's tokenizer and passes None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy = copy.to(torch.bfloat16)
    copy.config.dtype = torch.bfloat16
    copy.generation_config = GenerationConfig(
        bos_token_id=model.config.bos_token_id,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.pad_token_id,
        max_new_tokens=256,
    )
    copy.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
