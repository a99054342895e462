"""Prompts files are read, and what is wrong in one is said with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specchat.bench.prompts import Message, Prompt, PromptsError, read_prompts

ASK = {"role": "user", "content": "Where is my refund?"}


def _write(path: Path, *rows: object) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_prompts_are_read_in_order_and_blank_lines_passed_over(tmp_path: Path) -> None:
    greeting = {"role": "assistant", "content": "Hello"}
    file = _write(
        tmp_path / "p.jsonl",
        {"id": "a", "messages": [ASK]},
        "",
        {"id": "b", "messages": [ASK, greeting, ASK]},
    )
    first, second = read_prompts(file)
    assert first == Prompt("a", (Message("user", "Where is my refund?"),))
    assert [message.role for message in second.messages] == ["user", "assistant", "user"]


def test_what_unicode_calls_a_line_break_is_text(tmp_path: Path) -> None:
    said = "a\u2028b\u2029c\x85d"
    row = {"id": "a", "messages": [{"role": "user", "content": said}]}
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(json.dumps(row, ensure_ascii=False).encode() + b"\r\n")
    assert [prompt.messages[0].content for prompt in read_prompts(path)] == [said]


def test_a_limit_takes_the_first_and_reads_no_further(tmp_path: Path) -> None:
    file = _write(tmp_path / "p.jsonl", {"id": "a", "messages": [ASK]}, "not JSON")
    assert len(read_prompts(file, limit=1)) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 2: no valid JSON (Expecting property name"),
        ([1], "line 2: must be a JSON object, got list"),
        ({"messages": [ASK]}, 'line 2: "id" must be a string with something in it, got None'),
        ({"id": "ok", "messages": [ASK]}, "line 2: the id 'ok' is used twice"),
        ({"id": "b", "messages": []}, 'line 2: "messages" must be a list of at least one message'),
        ({"id": "b", "messages": ["hi"]}, 'line 2: "role" must be one of system, user, assistant'),
        (
            {"id": "b", "messages": [{"role": "user", "content": "  "}]},
            'line 2: "content" must be a string with something in it',
        ),
        (
            {"id": "b", "messages": [ASK, {"role": "assistant", "content": "Hello"}]},
            "line 2: the last message must be the user's",
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: object, message: str) -> None:
    file = _write(tmp_path / "p.jsonl", {"id": "ok", "messages": [ASK]}, row)
    with pytest.raises(PromptsError) as caught:
        read_prompts(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_an_empty_and_a_binary_file_are_explained(tmp_path: Path) -> None:
    with pytest.raises(PromptsError, match="No such file"):
        read_prompts(tmp_path / "none.jsonl")
    with pytest.raises(PromptsError, match="holds no prompts"):
        read_prompts(_write(tmp_path / "empty.jsonl", ""))
    (tmp_path / "model.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PromptsError, match="UTF-8"):
        read_prompts(tmp_path / "model.bin")
