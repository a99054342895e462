"""ROUGE-L by its definition, and MTRAG's tasks and figures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from specchat.bench.answers.mtrag import mtrag_rows, mtrag_summary, read_all, read_mtrag
from specchat.bench.answers.rouge import rouge_l
from specchat.bench.prompts import Message, PromptsError


def row(name: str, answerability: str, answer: str, passages: Sequence[str] = ("p",)) -> dict:
    return {
        "id": name, "collection": "c", "answerability": [answerability],
        "messages": [{"role": "user", "content": name}], "passages": passages, "answer": answer,
    }  # fmt: skip


ROWS = [
    row("a", "ANSWERABLE", "the police kill the gunman"),
    row("b", "ANSWERABLE", "blue"),
    row("c", "UNANSWERABLE", "I do not know", ()),
    row("d", "PARTIAL", "perhaps"),
]
ANSWERS = {
    "a": "Police killed the gunman.",
    "b": "I don't know.",
    "c": "I'm sorry, I don't know that.",
    "d": "perhaps",
}


class Reader:
    """Answers from a list."""

    def read(self, messages: Sequence[Message], passages: Sequence[str]) -> str:
        return ANSWERS[messages[-1].content]


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        # Lin 2004, section 3: 3 of 4 words in order, "the gunman" 2 of 4
        ("police killed the gunman", "police kill the gunman", 0.75),
        ("the gunman kill police", "police kill the gunman", 0.5),
        ("a b c d e", "a c e", 2 * (3 / 5) * 1 / (3 / 5 + 1)),
        ("Same, WORDS!", "same words", 1.0),
        ("", "words", 0.0),
        ("nothing", "common", 0.0),
    ],
)
def test_rouge_l_is_the_harmonic_mean_over_the_common_subsequence(
    answer: str, reference: str, score: float
) -> None:
    assert rouge_l(answer, reference) == pytest.approx(score)


@pytest.mark.parametrize("packed", [True, False])
def test_tasks_are_read_packed_or_plain(tmp_path: Path, packed: bool) -> None:
    file = tmp_path / "tasks"
    text = "\n".join(json.dumps(each) for each in ROWS).encode()
    file.write_bytes(gzip.compress(text) if packed else text)
    tasks = read_mtrag(file)
    assert [task.id for task in tasks] == ["a", "b", "c", "d"]
    assert tasks[0].passages == ("p",)
    assert len(read_mtrag(file, limit=2)) == 2


def test_figures_are_of_the_tasks_they_are_about(tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in ROWS))
    done: list[int] = []
    results = read_all(read_mtrag(file), Reader(), lambda count, total: done.append(count))
    summary = mtrag_summary(results)
    assert done == [1, 2, 3, 4]
    assert summary["mtrag_tasks"] == 4
    assert summary["rouge_l"] == pytest.approx(
        rouge_l(ANSWERS["a"], ROWS[0]["answer"]) / 2, abs=1e-4
    )
    assert summary["declined_unanswerable"] == 1.0
    assert summary["declined_answerable"] == 0.5
    assert [entry["declined"] for entry in mtrag_rows(results)] == [False, True, True, False]


@pytest.mark.parametrize("line", ["[1]", "{}", json.dumps(ROWS[0] | {"messages": []})])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps(ROWS[0]) + "\n" + line)
    with pytest.raises(PromptsError, match="line 2: no MTRAG task"):
        read_mtrag(file)
