"""The figures on redaction that the README states, and the ruler they are measured with."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from specchat.bench.redaction import check
from specchat.bench.redaction.check import Labelled, labelled, messages, score
from specchat.bench.redaction.frames import Frame, own_frames, real_messages
from specchat.bench.redaction.values import KEPT, MAKERS
from specchat.commands.main import app

LEAST = {
    "card": 0.99, "iban": 0.99, "email": 0.99, "phone": 0.97, "password": 0.98, "code": 0.98,
    "cvv": 0.98, "key": 0.98, "link": 0.98, "ip": 0.98, "bank": 0.98, "id": 0.97, "birth": 0.98,
    "address": 0.97, "street": 0.9, "name": 0.93, "given": 0.93, "small_name": 0.65,
}  # fmt: skip


@pytest.mark.parametrize("kind", check.PERSONAL)
def test_what_is_personal_is_found_and_little_else(kind: str) -> None:
    found = score(messages(kind, 400, seed=11))
    assert found.recall >= LEAST[kind], found.missed
    assert found.precision >= 0.98, found.wrong


@pytest.mark.parametrize("kind", KEPT)
def test_what_a_record_is_about_stays(kind: str) -> None:
    found = check.kept(messages(kind, 400, seed=11))
    assert found.recall >= 0.99, found.wrong


def test_every_kind_has_frames() -> None:
    assert set(own_frames()) == set(MAKERS)


def test_the_ruler_counts_what_is_missed_and_what_is_taken_without_need() -> None:
    text = "Qwxyz: then Anna had 4111 1111 1111 1111"
    found = score([Labelled(text, ((0, 5), (21, 40)))])
    assert found.missed == ["»Qwxyz«: then Anna had 4111 1111"]
    assert [wrong.split(":")[0] for wrong in found.wrong] == ["name"]
    assert (found.recall, found.precision) == (0, 0.5)


def test_only_what_is_in_braces_has_to_go() -> None:
    message = labelled(Frame("pay ", " soon"), "routing {021000021} account {1234}")
    assert message.text == "pay routing 021000021 account 1234 soon"
    assert [message.text[slice(*item)] for item in message.items] == ["021000021", "1234"]


def test_the_same_seed_gives_the_same_messages() -> None:
    assert list(messages("name", 5, 3)) == list(messages("name", 5, 3))
    assert list(messages("name", 5, 3)) != list(messages("name", 5, 4))


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A folder with a conversation as customers write them."""
    said = ["where is my order", "My email is bo@mail.example. help", "Order {{Order Number}} late"]
    line = {"messages": [{"role": "user", "content": text} for text in said]}
    with gzip.open(tmp_path / "some.jsonl.gz", "wt") as out:
        out.write(json.dumps(line) + "\n")
    return tmp_path


def test_a_value_takes_the_place_of_what_a_real_customer_told(told: Path) -> None:
    real = real_messages(told)
    assert real is not None
    assert real.slots == {"email": (Frame("My email is ", ". help"),)}
    assert real.left_out == 1
    assert real.clean[0] == "where is my order"
    assert "{{" not in real.clean[1]


def test_the_command_prints_the_figures(told: Path) -> None:
    command = ["data", "redaction", "--messages", "20", "--real", str(told)]
    report = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    assert report["card"]["recall"] == 1
    assert report["nothing personal"] == {"messages": 2, "unchanged": 1.0, "left_out": 1}
    shown = CliRunner().invoke(app, [*command, "--missed"]).output
    assert "order (stays)" in shown


def test_a_folder_without_conversations_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "redaction", "--real", str(tmp_path)])
    assert done.exit_code == 2
    assert "there is no conversation in" in done.output
