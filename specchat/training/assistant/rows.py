"""Sheets as rows of tokens: what questions share is read once, each question sees that and itself.

A row is a trunk (the longest common start of a sheet's prompts) and branches (the rest of each
prompt, and its answer). Positions go on from the trunk in every branch, and no branch sees another:
to the model each question looks as it does in the chat.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from specchat.chat.answer.prompt import PromptBuilder
from specchat.training.assistant.examples import Example, Sheet

LONGEST_PROMPT = 2048  # tokens
SORTED_SHEETS = 48  # drawn at a time and put together by length


@dataclass(frozen=True)
class Branch:
    """What one example has for itself, as token ids."""

    asked: tuple[int, ...]  # the end of the prompt; at least one token
    answer: tuple[int, ...]  # with the end-of-turn token
    kind: str


@dataclass(frozen=True)
class Row:
    """One sheet as token ids."""

    trunk: tuple[int, ...]
    branches: tuple[Branch, ...]

    def __len__(self) -> int:
        return len(self.trunk) + sum(len(b.asked) + len(b.answer) for b in self.branches)


@dataclass(frozen=True)
class RowBatch:
    """Rows of about the same length; tensors are [rows, length] unless said otherwise."""

    ids: torch.Tensor  # int64
    positions: torch.Tensor  # int64
    mask: torch.Tensor  # bool [rows, 1, length, length], True where attention is allowed
    at: torch.Tensor  # int64 [answer tokens]: flat places whose next token is an answer's
    targets: torch.Tensor  # int64 [answer tokens]
    examples: torch.Tensor  # int64 [answer tokens]: which example each belongs to
    kinds: tuple[str, ...]  # of the examples
    tokens: int  # without padding


class RowEncoder:
    """Encodes sheets for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._builder = PromptBuilder(tokenizer)
        self.pad = int(tokenizer.pad_token_id)

    def row(self, sheet: Sheet) -> Row:
        """The sheet as a row. Raises `ChatError` for a prompt above `LONGEST_PROMPT` tokens."""
        prompts = [self._prompt(example) for example in sheet]
        shared = _shared(prompts)
        branches = (
            Branch(prompt[shared:], self._answer(example), example.kind)
            for prompt, example in zip(prompts, sheet, strict=True)
        )
        return Row(prompts[0][:shared], tuple(branches))

    def _prompt(self, example: Example) -> tuple[int, ...]:
        return self._builder.build(example.messages(), context_budget=LONGEST_PROMPT).ids

    def _answer(self, example: Example) -> tuple[int, ...]:
        return tuple(self._builder.answer((example.answer,), whole=True)[1:])


def row_batches(
    sheets: Iterator[Sheet], encoder: RowEncoder, tokens: int, longest: int, seed: int
) -> Iterator[RowBatch]:
    """Batches of at most `tokens` tokens, padding included, or of one row.

    Rows longer than `longest` tokens lose their last branches, or are passed over. Rows of a batch
    have about the same length; the order of the batches is random.
    """
    rng = random.Random(seed)
    while True:
        drawn = (encoder.row(next(sheets)) for _ in range(SORTED_SHEETS))
        rows = sorted((cut for row in drawn if (cut := shortened(row, longest))), key=len)
        batches = list(_grouped(rows, tokens))
        rng.shuffle(batches)
        yield from (collate(batch, encoder.pad) for batch in batches)


def shortened(row: Row, longest: int) -> Row | None:
    """The row with as many of its branches as fit; None when none does."""
    branches = list(row.branches)
    while branches and len(Row(row.trunk, tuple(branches))) > longest:
        branches.pop()
    return Row(row.trunk, tuple(branches)) if branches else None


def collate(rows: Sequence[Row], pad: int) -> RowBatch:
    """One batch of rows."""
    length = max(map(len, rows))
    ids = torch.full((len(rows), length), pad, dtype=torch.int64)
    positions = torch.zeros(len(rows), length, dtype=torch.int64)
    parts = torch.zeros(len(rows), length, dtype=torch.int64)  # 0: trunk, else the branch
    at: list[int] = []
    targets: list[int] = []
    examples: list[int] = []
    kinds: list[str] = []
    for r, row in enumerate(rows):
        end = len(row.trunk)
        _put(ids[r], 0, row.trunk)
        positions[r, :end] = torch.arange(end)
        for number, branch in enumerate(row.branches, start=1):
            start, said = end, end + len(branch.asked)
            end = said + len(branch.answer)
            _put(ids[r], start, branch.asked + branch.answer)
            positions[r, start:end] = torch.arange(end - start) + len(row.trunk)
            parts[r, start:end] = number
            at += range(r * length + said - 1, r * length + end - 1)
            targets += branch.answer
            examples += [len(kinds)] * len(branch.answer)
            kinds.append(branch.kind)
        parts[r, end:] = -1
    return RowBatch(
        ids, positions, _mask(parts), torch.tensor(at), torch.tensor(targets),
        torch.tensor(examples), tuple(kinds), sum(map(len, rows)),
    )  # fmt: skip


def _mask(parts: torch.Tensor) -> torch.Tensor:
    """Who sees whom: everything before it in its own branch and in the trunk; padding itself."""
    length = parts.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    related = (parts[:, :, None] == parts[:, None, :]) | (parts[:, None, :] == 0)
    return (causal & related)[:, None]


def _shared(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with; the last token of each stays its own."""
    most = min(map(len, prompts)) - 1
    for at in range(most):
        if any(prompt[at] != prompts[0][at] for prompt in prompts):
            return at
    return most


def _put(row: torch.Tensor, start: int, ids: Sequence[int]) -> None:
    row[start : start + len(ids)] = torch.tensor(ids, dtype=torch.int64)


def _grouped(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """Neighbouring rows as long as they fit; the last is the longest."""
    group: list[Row] = []
    for row in rows:
        if group and len(row) * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(row)
    yield group
