"""Sheets as rows of tokens: what questions share is read once, each question sees that and itself.

A row is a trunk (the longest common start of a sheet's prompts) and branches (the rest of each
prompt, and its answer). Positions go on from the trunk in every branch, and no branch sees another
(`row_attention`): to the model each question looks as it does in the chat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from specchat.chat.answer.prompt import PromptBuilder
from specchat.chat.types import ChatError
from specchat.training.assistant.examples.example import Example, Sheet

LONGEST_PROMPT = 4096  # tokens


@dataclass(frozen=True)
class Branch:
    """What one example has for itself, as token ids."""

    asked: tuple[int, ...]  # the end of the prompt; at least one token
    answer: tuple[int, ...]  # with the end-of-turn token
    kind: str

    def __len__(self) -> int:
        return len(self.asked) + len(self.answer)


@dataclass(frozen=True)
class Row:
    """One sheet as token ids."""

    trunk: tuple[int, ...]
    branches: tuple[Branch, ...]

    def __len__(self) -> int:
        return len(self.trunk) + sum(map(len, self.branches))

    @property
    def answer_tokens(self) -> int:
        """Tokens that are learned."""
        return sum(len(branch.answer) for branch in self.branches)

    def ids(self) -> list[int]:
        """All tokens: the trunk, then the branches one after the other."""
        own = (token for branch in self.branches for token in branch.asked + branch.answer)
        return [*self.trunk, *own]

    def positions(self) -> list[int]:
        """Of each token, where it stands in its own conversation."""
        start = len(self.trunk)
        own = (at for branch in self.branches for at in range(start, start + len(branch)))
        return [*range(start), *own]

    def before_answers(self) -> list[int]:
        """Places in `ids` whose next token is an answer's."""
        places: list[int] = []
        end = len(self.trunk)
        for branch in self.branches:
            said, end = end + len(branch.asked), end + len(branch)
            places += range(said - 1, end - 1)
        return places

    def answers(self) -> list[int]:
        """The answers' tokens, one for each of `before_answers`."""
        return [token for branch in self.branches for token in branch.answer]

    def shortened(self, longest: int) -> Row | None:
        """The row with as many of its branches as fit into `longest` tokens; None if none does."""
        row = self
        while row.branches and len(row) > longest:
            row = Row(row.trunk, row.branches[:-1])
        return row if row.branches else None


class RowEncoder:
    """Encodes sheets for one tokenizer, exactly as the chat encodes its prompts."""

    def __init__(self, tokenizer: Any) -> None:
        self._builder = PromptBuilder(tokenizer)

    def row(self, sheet: Sheet) -> Row:
        """The sheet as a row. Raises `ChatError` for a prompt above `LONGEST_PROMPT` tokens."""
        prompts = [self._prompt(example) for example in sheet]
        shared = _shared(prompts)
        branches = (
            Branch(prompt[shared:], self._answer(example), example.kind)
            for prompt, example in zip(prompts, sheet, strict=True)
        )
        return Row(prompts[0][:shared], tuple(branches))

    def rows(self, sheets: Iterator[Sheet], longest: int) -> Iterator[Row]:
        """Rows of at most `longest` tokens; a sheet of which nothing fits is passed over."""
        for sheet in sheets:
            with suppress(ChatError):
                row = self.row(sheet).shortened(longest)
                if row is not None:
                    yield row

    def _prompt(self, example: Example) -> tuple[int, ...]:
        return self._builder.build(example.messages(), context_budget=LONGEST_PROMPT).ids

    def _answer(self, example: Example) -> tuple[int, ...]:
        return tuple(self._builder.answer((example.answer,), whole=True)[1:])


def batches(rows: Iterator[Row], examples: int) -> Iterator[list[Row]]:
    """Rows until they hold at least `examples` examples, again and again."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if sum(len(row.branches) for row in batch) >= examples:
            yield batch
            batch = []


def _shared(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with; the last token of each stays its own."""
    most = min(map(len, prompts)) - 1
    for at in range(most):
        if any(prompt[at] != prompts[0][at] for prompt in prompts):
            return at
    return most
