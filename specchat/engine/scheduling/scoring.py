"""Logits and likelihoods asked for outside any answer, computed between the answers' steps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import torch

from specchat.engine.kv.page_pool import OutOfPagesError, PagePool
from specchat.engine.kv.page_table import PageTable
from specchat.engine.model.batch import Rows
from specchat.engine.model.runner import ModelRunner
from specchat.engine.request import KnownText

_SALT = "\0score"


@dataclass(slots=True)
class _Score:
    tokens: Sequence[int]
    first: int  # logits of the rows from the one before this token are wanted, of all up to the end
    read: Callable[[torch.Tensor], Any]  # what becomes of them, [rows, vocab]
    result: Future[Any]
    text: KnownText | None
    table: PageTable | None = None
    rows: list[torch.Tensor] = field(default_factory=list)


class Scoring:
    """Texts to score, one after the other, a chunk at a time. The engine thread owns it.

    A text waits until the pages for all of it are available.
    """

    def __init__(self, runner: ModelRunner) -> None:
        self._runner = runner
        self._scores: deque[_Score] = deque()

    def __bool__(self) -> bool:
        return bool(self._scores)

    @property
    def starved(self) -> bool:
        """True when the oldest text waits for pages."""
        return bool(self._scores) and self._scores[0].table is None

    def add_logits(self, tokens: Sequence[int], result: Future[torch.Tensor]) -> None:
        """Ask for the logits `[vocab]` (float32, on the CPU) after `tokens`. Nothing is cached."""
        self._scores.append(_Score(tokens, len(tokens), _last, result, None))

    def add_likelihood(self, text: KnownText, result: Future[float]) -> None:
        """Ask for the mean log-probability of a text's end. Its pages stay in the prefix cache."""
        targets = torch.tensor(text.ids[text.first :])

        def read(logits: torch.Tensor) -> float:
            chances = logits[:-1].float().log_softmax(-1)
            return chances.gather(1, targets.to(chances.device)[:, None]).mean().item()

        self._scores.append(_Score(text.ids, text.first, read, result, text))

    def advance(self, pool: PagePool, rows: int) -> None:
        """Compute up to `rows` tokens of the oldest text, if its pages are available."""
        score = self._scores[0]
        try:
            done = self._chunk(score, pool, rows)
            result = score.read(torch.cat(score.rows)) if done else None
        except OutOfPagesError:
            return
        except Exception as error:  # belongs to the caller, not to the answers
            self._end(score)
            score.result.set_exception(error)
            return
        if done:
            self._keep(score, result)
            self._end(score)
            score.result.set_result(result)

    def restart(self) -> None:
        """The pool is gone; begin anew on the next one."""
        for score in self._scores:
            score.table = None
            score.rows.clear()

    def fail(self, error: Exception) -> None:
        """No text will be scored any more."""
        while self._scores:
            score = self._scores[0]
            self._end(score)
            if not score.result.done():  # who waited may have been told before
                score.result.set_exception(error)

    def _chunk(self, score: _Score, pool: PagePool, rows: int) -> bool:
        """True when the last of its tokens has been computed."""
        if score.table is None:
            score.table = _table(score, pool)
        table = score.table
        start = table.length
        chunk = score.tokens[start : start + rows]
        end = start + len(chunk)
        part = Rows.chunk(table, chunk, last=False)
        wanted = range(min(max(0, score.first - 1 - start), len(chunk)), len(chunk))
        out = self._runner.forward([part._replace(wanted=wanted)])
        if wanted:
            score.rows.append(out.logits.clone())
        table.advance(len(chunk))
        if score.text is not None:
            table.publish(score.tokens[:end])
        return end == len(score.tokens)

    def _keep(self, score: _Score, result: Any) -> None:
        """Leave the pages to the answers, unless there is something wrong with them."""
        if score.text is None or score.table is None:
            return
        if math.isfinite(result):
            score.table.publish_tail(score.tokens)
        else:
            score.table.withdraw()

    def _end(self, score: _Score) -> None:
        self._scores.remove(score)
        if score.table is not None:
            score.table.close()


def _table(score: _Score, pool: PagePool) -> PageTable:
    """Room for the text; of known pages those before the first row that is wanted."""
    known = score.tokens[: score.first]
    if score.text is None:
        table = PageTable.open(pool, _SALT, known)
    else:
        table = PageTable.open(pool, score.text.salt, known, score.text.public)
    try:
        table.reserve(len(score.tokens) - table.length)
    except OutOfPagesError:
        table.close()
        raise
    return table


def _last(logits: torch.Tensor) -> torch.Tensor:
    return logits[-1].float().cpu().clone()
