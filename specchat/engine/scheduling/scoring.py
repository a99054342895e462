"""Logits asked for outside any answer, computed between the steps of the answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import torch

from specchat.engine.kv.page_pool import OutOfPagesError, PagePool, PageTable
from specchat.engine.model.batch import Rows
from specchat.engine.model.runner import ModelRunner

_SALT = "\0score"


@dataclass(slots=True)
class _Score:
    tokens: Sequence[int]
    result: Future[torch.Tensor]
    table: PageTable | None = None


class Scoring:
    """Texts to score, one after the other, a chunk at a time. The engine thread owns it.

    A text waits until the pages for all of it are available. Nothing of it is cached.
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

    def add(self, tokens: Sequence[int], result: Future[torch.Tensor]) -> None:
        """Ask for the logits `[vocab]` (float32, on the CPU) after `tokens`."""
        self._scores.append(_Score(tokens, result))

    def advance(self, pool: PagePool, rows: int) -> None:
        """Compute up to `rows` tokens of the oldest text, if its pages are available."""
        score = self._scores[0]
        try:
            done = self._chunk(score, pool, rows)
        except OutOfPagesError:
            return
        except Exception as error:  # belongs to the caller, not to the answers
            self._end(score)
            score.result.set_exception(error)
            return
        if done is not None:
            self._end(score)
            score.result.set_result(done)

    def restart(self) -> None:
        """The pool is gone; begin anew on the next one."""
        for score in self._scores:
            score.table = None

    def fail(self, error: Exception) -> None:
        """No text will be scored any more."""
        while self._scores:
            score = self._scores[0]
            self._end(score)
            score.result.set_exception(error)

    def _chunk(self, score: _Score, pool: PagePool, rows: int) -> torch.Tensor | None:
        if score.table is None:
            table = PageTable.open(pool, _SALT, score.tokens)
            table.reserve(len(score.tokens))
            score.table = table
        start = score.table.length
        chunk = score.tokens[start : start + rows]
        last = start + len(chunk) == len(score.tokens)
        out = self._runner.forward([Rows.chunk(score.table, chunk, last=last)])
        score.table.advance(len(chunk))
        return out.logits[-1].float().cpu().clone() if last else None

    def _end(self, score: _Score) -> None:
        self._scores.remove(score)
        if score.table is not None:
            score.table.close()
