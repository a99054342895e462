"""Files of conversations with what is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specchat.bench.answers.conversations import read_conversations
from specchat.bench.prompts import PromptsError

ROW = {
    "id": "one",
    "kind": "returns",
    "turns": [{"q": "how long", "must": [["30 days", "thirty"]], "not": ["for ?ever"]}],
}


def written(folder: Path, *rows: object) -> Path:
    file = folder / "set.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return file


def test_conversations_are_read_with_their_expressions(tmp_path: Path) -> None:
    found = read_conversations(written(tmp_path, ROW, ROW | {"id": "two", "kind": None}))
    assert [(c.id, c.kind) for c in found] == [("one", "returns"), ("two", "other")]
    turn = found[0].turns[0]
    assert turn.must[0][1].search("THIRTY days")
    assert turn.forbidden[0].search("forever")


def test_lists_may_be_left_out_and_a_limit_ends_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, {"id": "a", "turns": [{"q": "hi"}]}, ROW)
    assert [c.id for c in read_conversations(file, limit=1)] == ["a"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([], "must be a JSON object"),
        (ROW | {"id": 3}, '"id" must be a string'),
        (ROW | {"turns": []}, '"turns" must be a list'),
        (ROW | {"turns": [{"q": " "}]}, 'a turn\'s "q"'),
        (ROW | {"turns": [{"q": "a", "must": [["("]]}]}, "no regular expression"),
        (ROW | {"turns": [{"q": "a", "must": ["x"]}]}, '"must" must hold lists'),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: object, said: str) -> None:
    with pytest.raises(PromptsError, match=r"set\.jsonl, line 1: ") as error:
        read_conversations(written(tmp_path, row))
    assert said in str(error.value)


def test_an_id_is_used_once(tmp_path: Path) -> None:
    with pytest.raises(PromptsError, match="line 2: the id 'one' is used twice"):
        read_conversations(written(tmp_path, ROW, ROW))


def test_a_missing_or_empty_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PromptsError, match="cannot read"):
        read_conversations(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(PromptsError, match="holds no conversations"):
        read_conversations(tmp_path / "empty.jsonl")
