"""The two stages of MLP-speculator training, and its acceptance on held-out prompts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM

from specchat.training.care_mlp.features import Features
from specchat.training.care_mlp.module import MLPSpeculator
from specchat.training.corpus.own_answers import OwnAnswer
from specchat.training.loop import Loop, StepReport


@dataclass(frozen=True)
class SpeculatorSettings:
    """How one stage is trained. The bundled speculator's second stage began with the defaults."""

    minutes: float = 12.0
    lr: float = 2e-3
    runs: int = 40  # runs of neighbouring positions in a batch
    run_length: int = 64  # positions
    weight_decay: float = 0.01
    soft_share: float = 0.7  # of the loss against the target's distribution; the rest: its token
    lost_weight: float = 0.15  # of a depth, however wrong the tokens in front of it
    warmup: float = 0.03  # share of the time
    checkpoint_minutes: float = 3.0
    compile: bool = True
    seed: int = 5


@dataclass(frozen=True)
class Acceptance:
    """A greedy chain's acceptance over held-out answers."""

    steps: int
    accepted_by_depth: tuple[int, ...]  # steps in which that depth was reached and right

    @property
    def mean_acceptance_length(self) -> float:
        """1 + accepted / steps."""
        return 1 + sum(self.accepted_by_depth) / self.steps

    @property
    def rate_by_depth(self) -> tuple[float, ...]:
        """Share accepted of those steps in which every earlier depth was accepted."""
        reached = (self.steps, *self.accepted_by_depth)
        return tuple(
            right / before if before else 0.0
            for right, before in zip(self.accepted_by_depth, reached, strict=False)
        )


class SpeculatorTrainer:
    """Trains a speculator on features for a given time; saves and resumes."""

    def __init__(
        self,
        model: MLPSpeculator,
        head: torch.Tensor,
        folder: Path,
        settings: SpeculatorSettings,
    ) -> None:
        self.model = model
        self.head = head.to(torch.bfloat16)  # the target's [vocabulary, width]
        self.settings = settings
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=settings.lr,
            betas=(0.9, 0.95),
            weight_decay=settings.weight_decay,
            fused=True,
        )
        parts = {"model": model, "optimizer": self.optimizer}
        self.loop = Loop(folder, settings.minutes, settings.checkpoint_minutes, parts)

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
        features: Features,
        max_steps: int | None = None,
        on_checkpoint: Callable[["SpeculatorTrainer"], None] = lambda trainer: None,
        say: Callable[[str], None] = print,
    ) -> float:
        """Trains until the time or `max_steps` is used up; returns the last smoothed loss."""
        s = self.settings
        loss_of = torch.compile(depth_loss, dynamic=False) if s.compile else depth_loss
        generator = torch.Generator().manual_seed(s.seed + self.step)

        def update() -> StepReport:
            value, right = self._update(features, generator, loss_of)
            shown = " ".join(f"{share:.2f}" for share in right)
            return StepReport(value, f"right by depth {shown}")

        return self.loop.run(update, max_steps, lambda: on_checkpoint(self), say)

    def _update(
        self, features: Features, generator: torch.Generator, loss_of: Callable
    ) -> tuple[float, list[float]]:
        s, depth = self.settings, self.model.config.n_predict
        index = draw_runs(len(features), s.runs, s.run_length + depth, generator)
        inner = index[:, : s.run_length]
        hidden = features.hidden[index]  # [runs, run_length + depth, width]
        tokens = features.tokens[inner].long().flatten(0, 1)
        valid = features.valid[inner].flatten(0, 1)
        with torch.no_grad():
            truth = F.linear(hidden[:, 1:], self.head).float().softmax(-1).to(torch.bfloat16)
        state = self.model.input_state(hidden[:, : s.run_length].flatten(0, 1).float())
        weight = valid.new_ones(len(tokens), dtype=torch.float32)
        total = torch.zeros(())
        right: list[float] = []
        for i in range(depth):
            soft = truth[:, i : i + s.run_length].flatten(0, 1)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                state = self.model.step(state, tokens[:, i], i)
                logits = self.model.logits(state, i)
            losses, correct, agreed = loss_of(logits, soft, tokens[:, i + 1], s.soft_share)
            counted = weight * valid[:, i]
            total = total + (losses * counted).sum()
            right.append((correct & valid[:, i]).sum().item() / max(1, int(valid[:, i].sum())))
            # A greedy chain goes on behind the best token, a sampled one where both draw the same.
            weight = (weight * torch.where(correct, 1.0, agreed)).clamp(min=s.lost_weight)
        loss = total / max(1, int(valid[:, 0].sum()))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        factor = (
            self.progress / s.warmup
            if self.progress < s.warmup
            else ((1 - self.progress) / (1 - s.warmup))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = s.lr * max(0.01, factor)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item(), right


def depth_loss(
    logits: torch.Tensor, soft: torch.Tensor, token: torch.Tensor, soft_share: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Losses [n] of one depth's logits [n, vocabulary], whether its first choice is right, and how
    likely it would draw the token that followed where the target drew it, with the same noise.

    The loss mixes the cross-entropy against the target's distribution `soft` with that against
    the token that followed.
    """
    log_probabilities = logits.float().log_softmax(-1)
    hard = -log_probabilities.gather(1, token[:, None])[:, 0]
    spread = -(log_probabilities * soft.float()).sum(-1)
    truth = soft.gather(1, token[:, None])[:, 0].float()
    agreed = ((-hard.detach()).exp() / truth.clamp(min=1e-6)).clamp(max=1.0)
    loss = soft_share * spread + (1 - soft_share) * hard
    return loss, logits.argmax(-1) == token, agreed


def draw_runs(positions: int, runs: int, length: int, generator: torch.Generator) -> torch.Tensor:
    """Indices [runs, length] of neighbouring positions at random places."""
    if positions < length:
        raise ValueError(f"{positions} positions are too few for runs of {length}")
    starts = torch.randint(0, positions - length + 1, (runs, 1), generator=generator)
    return starts + torch.arange(length)


@torch.no_grad()
def greedy_acceptance(
    model: MLPSpeculator, target: LlamaForCausalLM, answers: Sequence[OwnAnswer]
) -> Acceptance:
    """How many tokens of greedy answers a greedy chain would have guessed, step by step.

    Verification is exact for greedy answers: a draft token is accepted iff it is the answer's.
    """
    depth = model.config.n_predict
    parts: list[Acceptance] = []
    for answer in answers:
        ids = torch.tensor(answer.prompt + answer.answer)
        hidden = target.model(input_ids=ids[None], use_cache=False).last_hidden_state[0]
        last = torch.arange(len(answer.prompt), len(ids) - 1)  # places of a step's last token
        chains = model.propose(hidden[last - 1].float(), ids[last], depth)
        padded = torch.cat([ids, ids.new_full((depth,), -1)])
        wanted = torch.stack([padded[last + 1 + i] for i in range(depth)], 1)
        parts.append(walk((chains == wanted).cumprod(1).sum(1).tolist(), depth))
    return total(parts)


@torch.no_grad()
def draft_acceptance(
    draft: LlamaForCausalLM, answers: Sequence[OwnAnswer], depth: int
) -> Acceptance:
    """The same of a draft model's greedy chain of `depth` tokens.

    As long as a chain is right its context is the answer itself, so one pass over the answer
    tells every chain's length.
    """
    parts: list[Acceptance] = []
    for answer in answers:
        ids = torch.tensor(answer.prompt + answer.answer)
        choice = draft(input_ids=ids[None], use_cache=False).logits[0].argmax(-1)
        start = len(answer.prompt)
        right = (choice[start:-1] == ids[start + 1 :]).long()
        padded = torch.cat([right, right.new_zeros(depth)])
        runs = torch.stack([padded[i : i + len(right)] for i in range(depth)], 1)
        parts.append(walk(runs.cumprod(1).sum(1).tolist(), depth))
    return total(parts)


def walk(lengths: Sequence[int], depth: int) -> Acceptance:
    """The steps a decoder takes when a chain proposed at place i has `lengths[i]` right tokens."""
    by_depth, steps, at = [0] * depth, 0, 0
    while at < len(lengths):
        steps += 1
        for i in range(lengths[at]):
            by_depth[i] += 1
        at += lengths[at] + 1
    return Acceptance(steps, tuple(by_depth))


def total(parts: Sequence[Acceptance]) -> Acceptance:
    """Several acceptances as one."""
    depths = zip(*(part.accepted_by_depth for part in parts), strict=True)
    return Acceptance(sum(part.steps for part in parts), tuple(map(sum, depths)))
