"""MTRAG, IBM's benchmark of multi-turn retrieval-augmented chat: conversations with the passages
they need, a reference answer, and whether the passages answer the last question.

Katsis et al. 2025, "MTRAG: A Multi-Turn Conversational Benchmark for Evaluating
Retrieval-Augmented Generation Systems".
"""

from __future__ import annotations

import gzip
import json
import statistics
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from specchat.bench.answers.rouge import rouge_l
from specchat.bench.prompts import Message, PromptsError
from specchat.bench.report import Report
from specchat.evidence.declines import declines

ANSWERABLE, UNANSWERABLE = "ANSWERABLE", "UNANSWERABLE"


@dataclass(frozen=True, slots=True)
class MtragTask:
    """One question of the benchmark."""

    id: str
    messages: tuple[Message, ...]  # the last is the user's
    passages: tuple[str, ...]  # the reference passages; none where there is no answer
    answerability: frozenset[str]
    reference: str


@dataclass(frozen=True, slots=True)
class MtragResult:
    """A task with its answer."""

    task: MtragTask
    answer: str

    @property
    def rouge_l(self) -> float:
        """Of the answer against the reference."""
        return rouge_l(self.answer, self.task.reference)

    @property
    def declined(self) -> bool:
        """Whether it says that it does not know."""
        return declines(self.answer)


class Reader(Protocol):
    """Whatever answers from given passages, without retrieval of its own."""

    def read(self, messages: Sequence[Message], passages: Sequence[str]) -> str:
        """The answer to the last message."""
        ...


def read_mtrag(path: Path, limit: int | None = None) -> list[MtragTask]:
    """The first `limit` tasks of a file, gzip or plain.

    Raises:
        PromptsError: no such file, no task in it, or a line that is none.
    """
    try:
        content = path.read_bytes()
        packed = content[:2] == b"\x1f\x8b"
        text = (gzip.decompress(content) if packed else content).decode("utf-8")
    except OSError as error:
        raise PromptsError(f"cannot read {path}: {error.strerror or error}") from None
    except (EOFError, zlib.error, UnicodeDecodeError):
        raise PromptsError(f"{path} is no UTF-8 text, or is cut short") from None
    tasks: list[MtragTask] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if limit is not None and len(tasks) == limit:
            break
        if line.strip():
            tasks.append(_task(line, f"{path}, line {number}"))
    if not tasks:
        raise PromptsError(f"{path} holds no MTRAG tasks; write one JSON object a line")
    return tasks


def read_all(
    tasks: Sequence[MtragTask],
    reader: Reader,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> list[MtragResult]:
    """Every task answered, in order."""
    results: list[MtragResult] = []
    for task in tasks:
        results.append(MtragResult(task, reader.read(task.messages, task.passages)))
        on_done(len(results), len(tasks))
    return results


def mtrag_summary(results: Sequence[MtragResult]) -> Report:
    """What is added to the summary of the report: ROUGE-L over the answerable tasks, as the
    benchmark's own figures have it, and shares of declined answers."""
    answerable = [r for r in results if r.task.answerability == {ANSWERABLE}]
    unanswerable = [r for r in results if r.task.answerability == {UNANSWERABLE}]
    return {
        "mtrag_tasks": len(results),
        "rouge_l": _mean([r.rouge_l for r in answerable]),
        "rouge_l_all": _mean([r.rouge_l for r in results]),
        "declined_unanswerable": _mean([r.declined for r in unanswerable]),
        "declined_answerable": _mean([r.declined for r in answerable]),
    }


def mtrag_rows(results: Sequence[MtragResult]) -> list[Report]:
    """One row for each task."""
    return [
        {
            "id": result.task.id,
            "answerability": sorted(result.task.answerability),
            "answer": result.answer,
            "rouge_l": round(result.rouge_l, 4),
            "declined": result.declined,
        }
        for result in results
    ]


def _task(line: str, where: str) -> MtragTask:
    try:
        row: Any = json.loads(line)
        messages = tuple(Message(m["role"], m["content"]) for m in row["messages"])
        if not messages or messages[-1].role != "user":
            raise ValueError("the last message must be the user's")
        return MtragTask(
            str(row["id"]),
            messages,
            tuple(map(str, row["passages"])),
            frozenset(row["answerability"]),
            str(row["answer"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise PromptsError(f"{where}: no MTRAG task ({error})") from None


def _mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), 4) if values else 0.0
