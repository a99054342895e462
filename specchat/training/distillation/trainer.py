"""Trains a drafter on what a frozen target makes of answers, and measures its acceptance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from specchat.training.care_mlp.two_stages import Acceptance, depth_loss, total, walk
from specchat.training.corpus.own_answers import OwnAnswer
from specchat.training.corpus.packing import Batch, Sample, batches, collate
from specchat.training.distillation.drafter import (
    SHAPE,
    Drafter,
    FrozenTarget,
    Places,
    View,
    at,
    find_places,
    to_device,
)
from specchat.training.loop import Loop, Progress, StepReport


@dataclass(frozen=True)
class DistilSettings:
    """How a drafter is trained."""

    minutes: float = 30.0  # of wall clock; the learning rate reaches 0 at its end
    lr: float = 1e-3
    rows: int = 4  # of packed texts in a batch
    length: int = 512  # tokens in a row; longer texts are left out
    places: int = 1024  # of a batch that count, at the most: memory grows with the vocabulary
    soft_share: float = 0.7  # of the loss against the target's distribution; the rest: its token
    decay: float = 0.8  # of the loss from depth to depth
    weight_decay: float = 0.01
    warmup: float = 0.03  # share of the time
    checkpoint_minutes: float = 3.0
    seed: int = 11


LAST = "lm_head.weight"  # of a network that drafts a reduced vocabulary


class DistilTrainer:
    """Trains a drafter for a given time; saves and resumes."""

    def __init__(
        self, drafter: Drafter, target: FrozenTarget, folder: Path, settings: DistilSettings
    ) -> None:
        self.drafter, self.target, self.settings = drafter, target, settings
        self.optimizer = torch.optim.AdamW(
            drafter.network.parameters(),
            lr=settings.lr,
            betas=(0.9, 0.95),
            weight_decay=settings.weight_decay,
        )
        self._vocabulary = _Vocabulary(drafter.token_ids)
        parts = {
            "vocabulary": self._vocabulary,
            "network": drafter.network,
            "optimizer": self.optimizer,
        }
        self.loop = Loop(folder, settings.minutes, settings.checkpoint_minutes, parts)
        self._drafted = _places_in_vocabulary(drafter, target)

    def resume(self) -> bool:
        """Continues from the folder's checkpoint; False when there is none.

        Raises `ValueError` for a checkpoint of another training, or of one that drafts other
        tokens.
        """
        return self.loop.resume()

    def start_from(self, checkpoint: Path) -> bool:
        """Takes over the network of another stage, and of its last rows those of tokens that are
        drafted here too; False when it has another shape."""
        state = torch.load(checkpoint, weights_only=True, map_location="cpu")
        try:
            theirs = state["vocabulary"].get("token_ids")
            network = dict(state["network"])
            if theirs is not None and self.drafter.token_ids is not None:
                network[LAST] = self._last_rows(network[LAST], theirs)
            self.drafter.network.load_state_dict(network)
        except (KeyError, RuntimeError):
            return False
        return True

    def _last_rows(self, rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """One's own; in the place of each that is one of `tokens`, ascending, its row of `rows`."""
        assert self.drafter.token_ids is not None
        mine = self.drafter.token_ids.cpu()
        shared = torch.isin(mine, tokens)
        own = self.drafter.network.state_dict()[LAST].cpu().clone()
        own[shared] = rows[torch.searchsorted(tokens, mine[shared])]
        return own

    def train(
        self,
        samples: Sequence[Sample],
        pad: int,
        max_steps: int | None = None,
        on_checkpoint: Callable[["DistilTrainer"], None] = lambda trainer: None,
        say: Callable[[str], None] = print,
        watch: Callable[[Progress], None] = lambda progress: None,
    ) -> float:
        """Trains until the time or `max_steps` is used up; returns the last smoothed loss.

        Raises `ValueError` when no sample is short enough.
        """
        s = self.settings
        generator = torch.Generator().manual_seed(s.seed + self.loop.step)
        stream = batches(samples, s.length, s.rows, pad, s.seed, skip=self.loop.step)

        def update() -> StepReport:
            batch = to_device(next(stream), self.target.device)
            loss, right = self._update(batch, generator)
            shown = " ".join(f"{share:.2f}" for share in right)
            return StepReport(loss, f"right by depth {shown}")

        self.drafter.network.train()
        return self.loop.run(update, max_steps, lambda: on_checkpoint(self), say, watch=watch)

    def _update(self, batch: Batch, generator: torch.Generator) -> tuple[float, list[float]]:
        s = self.settings
        view = self.target.look(batch)
        places = find_places(batch, self.drafter.depth, s.places, generator)
        if not places.valid.any():
            raise ValueError("a batch without answers; the texts must hold answers to learn from")
        loss, right = self._loss(view, places)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.drafter.network.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = s.lr * max(0.01, _factor(self.loop.progress, s.warmup))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item(), right

    def _loss(self, view: View, places: Places) -> tuple[torch.Tensor, list[float]]:
        s, drafter = self.settings, self.drafter
        loss = torch.zeros((), device=self.target.device)
        right: list[float] = []
        with torch.autocast(self.target.device.type, dtype=torch.bfloat16):
            for j, logits in zip(
                range(drafter.trained_depths), drafter.logits(view, places), strict=False
            ):
                wanted = at(view.logits, places, 1 + j).float()
                token = places.tokens[:, j]
                counted = places.valid[:, j]
                if drafter.token_ids is not None:
                    wanted, token = wanted[:, drafter.token_ids], self._drafted[token]
                    counted = counted & (token >= 0)
                losses, correct, _ = depth_loss(
                    logits, wanted.softmax(-1), token.clamp(min=0), s.soft_share
                )
                share = 1 / counted.sum().clamp(min=1)
                loss = loss + s.decay**j * (losses * counted).sum() * share
                right.append(float((correct & counted).sum() * share))
        return loss, right


class _Vocabulary:
    """The tokens that are drafted, as a part of a checkpoint: what the network's last rows mean."""

    def __init__(self, token_ids: torch.Tensor | None) -> None:
        self._state = {} if token_ids is None else {"token_ids": token_ids.cpu()}

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self._state

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Raises `ValueError` for other tokens than one's own."""
        own = self._state
        if own.keys() != state.keys() or any(not torch.equal(own[k], state[k]) for k in own):
            raise ValueError("it drafts other tokens")


@torch.no_grad()
def measure_acceptance(
    drafter: Drafter, target: FrozenTarget, answers: Sequence[OwnAnswer], pad: int
) -> Acceptance:
    """A greedy chain's acceptance over the target's own greedy answers.

    As long as a chain is right, what stands in front of it is the answer itself, so one pass over
    the answer tells every chain's length. Raises `ValueError` when there is no answer to measure.
    """
    drafter.network.eval()
    parts: list[Acceptance] = []
    for answer in answers:
        sample = answer.sample()
        length = -(-len(sample.ids) // SHAPE) * SHAPE
        batch = to_device(collate([[sample]], length, pad), target.device)
        view, places = target.look(batch), find_places(batch, drafter.depth)
        if not places.valid.any():
            continue
        choices = []
        for logits in drafter.logits(view, places):
            best = logits.argmax(-1)
            choices.append(best if drafter.token_ids is None else drafter.token_ids[best])
        right = (torch.stack(choices, 1) == places.tokens) & places.valid
        lengths = right.long().cumprod(1).sum(1)[places.valid[:, 0]]
        parts.append(walk(lengths.tolist(), drafter.depth))
    if not parts:
        raise ValueError("no held-out answer is long enough to measure acceptance on")
    return total(parts)


def _places_in_vocabulary(drafter: Drafter, target: FrozenTarget) -> torch.Tensor:
    """Where each of the target's tokens stands in a reduced vocabulary; -1 where it does not."""
    found = torch.full((len(target.head),), -1, device=target.device)
    if drafter.token_ids is not None:
        found[drafter.token_ids] = torch.arange(len(drafter.token_ids), device=target.device)
    return found


def _factor(progress: float, warmup: float) -> float:
    return progress / warmup if progress < warmup else (1 - progress) / (1 - warmup)
