"""The commands, with an engine double: what they print, write, and how they end."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from specchat.chat.slots.message import Slot
from specchat.commands import main, shared
from specchat.commands.terminal_user import id_file, own_id
from specchat.engine.errors import ModelLoadError
from specchat.settings import Settings
from storage import open_store
from tests.bench.double import FakeEngine

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_model_dir: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model_dir)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tiny_tokenizer: Any) -> Run:
    """Runs a command on an engine double: `run("race", file, engine=FakeEngine(...))`."""

    def invoke(*arguments: object, engine: FakeEngine | None = None) -> Result:
        @contextmanager
        def loaded(settings: Settings) -> Iterator[SimpleNamespace]:
            yield SimpleNamespace(
                engine=engine or FakeEngine(),
                tokenizer=tiny_tokenizer,
                options=settings.load_options(),
                model=settings.model,
                uses_slots=False,
            )

        monkeypatch.setattr(shared, "loaded_engine", loaded)
        return CliRunner().invoke(main.app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def prompts_file(tmp_path: Path) -> Path:
    questions = ("Where is my refund?", "Cancel my order please", "Hello")
    file = tmp_path / "prompts.jsonl"
    rows = (
        {"id": f"q{i}", "messages": [{"role": "user", "content": text}]}
        for i, text in enumerate(questions)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_race_prints_a_summary_and_writes_the_report(
    run: Run, prompts_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "race.json"
    result = run(
        "race", prompts_file, "--max-tokens", 10, "--repeats", 1, "--limit", 2, "--out", out
    )
    assert result.exit_code == 0, result.output
    assert "2 prompts, 2 with identical tokens" in result.stdout
    report = json.loads(out.read_text())
    assert [pair["id"] for pair in report["pairs"]] == ["q0", "q1"]
    assert report["settings"]["max_tokens"] == 10
    assert report["settings"]["prompts"] == "prompts.jsonl"


def test_json_is_all_that_a_race_prints_when_asked_for(run: Run, prompts_file: Path) -> None:
    result = run("race", prompts_file, "--max-tokens", 4, "--repeats", 1, "--json")
    assert json.loads(result.stdout)["summary"]["pairs"] == 3


def test_prompts_are_encoded_with_the_chat_template(
    run: Run, prompts_file: Path, tiny_tokenizer: Any
) -> None:
    engine = FakeEngine()
    once = ("--limit", 1, "--max-tokens", 4, "--repeats", 1)
    run("race", prompts_file, *once, engine=engine)
    text = tiny_tokenizer.decode(engine.requests[0].prompt_ids)
    assert text.startswith("<|system|>You are the customer service assistant of Fernhollow")
    assert "Pages:\n## Where is my refund?" in text
    assert text.endswith("Customer: Where is my refund?<|end|><|assistant|>")
    engine = FakeEngine()
    run("race", prompts_file, "--raw", *once, engine=engine)
    text = tiny_tokenizer.decode(engine.requests[0].prompt_ids)
    assert text == "<|user|>Where is my refund?<|end|><|assistant|>"


def test_a_lossless_audit_exits_0(run: Run, prompts_file: Path) -> None:
    result = run("audit", prompts_file, "--max-tokens", 8)
    assert result.exit_code == 0, result.output
    assert "3 answers identical" in result.stdout


def test_an_audit_with_a_loss_exits_1_and_still_writes_its_report(
    run: Run, prompts_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit.json"
    engine = FakeEngine(wrong_at=2)
    result = run("audit", prompts_file, "--max-tokens", 8, "--out", out, engine=engine)
    assert result.exit_code == 1
    assert "NOT lossless" in result.stdout
    assert not json.loads(out.read_text())["summary"]["lossless"]


def test_a_rounding_tie_is_no_loss(run: Run, prompts_file: Path) -> None:
    engine = FakeEngine(wrong_at=2, gap=0.0001)
    result = run("audit", prompts_file, "--max-tokens", 8, engine=engine)
    assert result.exit_code == 0
    assert "3 rounding ties" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["race", "none.jsonl"], "cannot read none.jsonl: No such file or directory"),
        (["race", "PROMPTS", "--seed", "-1"], "seed must be an integer from 0 to"),
        (["race", "PROMPTS", "--max-tokens", "0"], "max_tokens must be an integer of at least 1"),
        (["race", "PROMPTS", "--temperature", "9"], "temperature must be a number from 0 to 5"),
        (["race", "PROMPTS", "--dtype", "int3"], "--dtype must be 'auto', 'float32'"),
        (["race", "PROMPTS", "--out", "no/such/race.json"], "there is no directory no/such"),
        (["race", "PROMPTS", "--max-tokens", "2040"], "prompt 'q0': This question is too long"),
        (
            ["audit", "PROMPTS", "--speculators", "a b"],
            "--speculators must be 'auto', a comma-separated",
        ),
        (["ask", "Hello", "--temperature", "9"], "--temperature must be a number from 0 to 5"),
        (["ask", "  "], "question"),
        (["serve", "--port", "0"], "--port must be an integer from 1 to 65535, got 0"),
    ],
)
def test_a_mistake_is_explained_and_exits_2(
    run: Run, prompts_file: Path, arguments: list[str], message: str
) -> None:
    result = run(*(prompts_file if word == "PROMPTS" else word for word in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_port_in_use_is_explained_before_anything_loads(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("serve", "--port", port)
    assert result.exit_code == 2
    assert f"127.0.0.1:{port} is already in use" in result.stderr
    assert "--port" in result.stderr


def test_a_wrong_line_is_named(run: Run, prompts_file: Path) -> None:
    prompts_file.write_text(prompts_file.read_text() + "{'id'")
    result = run("audit", prompts_file)
    assert result.exit_code == 2
    assert f"{prompts_file}, line 4: no valid JSON" in result.stderr


def test_a_model_that_cannot_be_loaded_is_explained(
    monkeypatch: pytest.MonkeyPatch, prompts_file: Path
) -> None:
    def refuse(settings: object) -> None:
        raise ModelLoadError("there is no model at /nowhere")

    monkeypatch.setattr(shared, "loaded_engine", refuse)
    result = CliRunner().invoke(main.app, ["race", str(prompts_file), "--model", "/nowhere"])
    assert result.exit_code == 2
    assert result.stderr == "there is no model at /nowhere\n"


def test_ask_answers_with_statistics_and_leaves_a_turn(run: Run, tmp_path: Path) -> None:
    result = run("ask", "Hello", "--max-tokens", 7)
    assert result.exit_code == 0, result.output
    assert "7 tokens · τ 3.0 · 100% drafts accepted · TTFT 10 ms" in result.stdout
    with open_store(f"sqlite:///{tmp_path / 'specchat.db'}") as store:
        (conversation,) = store.conversations(own_id() or "")
        (turn,) = store.turns(conversation.id)
    assert turn.answer.strip() in result.stdout


def test_what_was_asked_here_is_found_and_erased_as_mine(run: Run, tmp_path: Path) -> None:
    nothing = run("data", "export", "--mine")
    assert nothing.exit_code == 2
    for question in ("Where is my refund?", "Cancel my order"):
        assert run("ask", question, "--max-tokens", 4).exit_code == 0
    with open_store(f"sqlite:///{tmp_path / 'specchat.db'}") as store:
        store.create_conversation("somebody else")
    stored = json.loads(run("data", "export", "--mine").stdout)
    assert len(stored["conversations"]) == 2
    assert id_file().stat().st_mode & 0o077 == 0
    erased = run("data", "delete", "--mine", "--yes", "--json")
    assert json.loads(erased.stdout)["conversations"] == 2
    with open_store(f"sqlite:///{tmp_path / 'specchat.db'}") as store:
        assert store.conversations(own_id() or "") == []


def test_an_id_that_cannot_be_kept_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    result = run("ask", "Hello", "--max-tokens", 4)
    assert result.exit_code == 0
    said = re.search(r"This answer is stored as owner ([0-9a-f]{32})", result.stderr)
    assert said
    with open_store(f"sqlite:///{tmp_path / 'specchat.db'}") as store:
        assert len(store.conversations(said[1])) == 1


def test_ask_plain_drafts_nothing(run: Run) -> None:
    engine = FakeEngine()
    result = run("ask", "Hello", "--plain", "--seed", 3, "--max-tokens", 5, "--json", engine=engine)
    answer = json.loads(result.stdout)
    assert answer["status"] == "completed"
    assert answer["stats"]["drafted"] == 0
    (request,) = engine.requests
    assert (request.params.speculate, request.params.seed) == (False, 3)


def test_slots_in_a_prompts_file_are_slots_of_the_bundled_model() -> None:
    from specchat.chat.slots.written_message import written_message

    text = "Where is order {{order_number}}?"
    parts = written_message("user", text, uses_slots=True).parts
    assert parts == ("Where is order ", Slot("order_number"), "?")
    typed = written_message("user", "Where is order 4417?", uses_slots=True)
    assert Slot("order_number") in typed.parts
    assert written_message("user", text, uses_slots=False).parts == (text,)


@pytest.mark.parametrize(("rows", "said"), [(17, "takes 17 rows"), (0, "nothing to pad")])
def test_exact_mode_says_what_it_does(run: Run, prompts_file: Path, rows: int, said: str) -> None:
    engine = FakeEngine(rows_per_request=rows)
    options = ("--limit", 1, "--max-tokens", 4)
    assert "exact: " not in run("audit", prompts_file, *options, engine=engine).stderr
    assert said in run("audit", prompts_file, *options, "--exact", engine=engine).stderr
