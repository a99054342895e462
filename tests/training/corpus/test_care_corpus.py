"""The corpus: cleaning, splits without a leak, held-out prompts, and the real data if there."""

import csv
import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from specchat.chat.slots.vocabulary import SLOT_TOKENS
from specchat.commands.train.group import train_app
from specchat.training.corpus import care_corpus as corpus_module
from specchat.training.corpus.care_corpus import (
    SPLITS,
    Conversation,
    data_directory,
    heldout_prompts,
    in_split,
    join_turns,
    load_corpus,
    question_key,
)
from specchat.training.corpus.cleaning import (
    clean_turns,
    with_slots,
    without_honorifics,
    without_retailer,
)

RETAILER = re.compile(r"\b(?:amazon|flipkart|myntra)", re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thank you for contacting Amazon India.", "Thank you for contacting {{company_name}}."),
        ("its amazons fault", "its {{company_name}}'s fault"),
        ("The code is AMAZONTV55.", "The code is {{company_name}}."),
        ("i trusted amazon!", "i trusted {{company_name}}!"),
        ("an Amazon pickup point", "a {{company_name}} pickup point"),
        ("i am a prime member", "i am a Premium member"),
        ("credited as Amazon Pay balance", "credited as store credit balance"),
        ("i will buy from flipkart", "i will buy from another shop"),
        ("what an amazing offer", "what an amazing offer"),
    ],
)
def test_the_real_retailer_is_replaced(text: str, expected: str) -> None:
    assert without_retailer(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order #502-2345678-9012345.", "order {{order_number}}."),
        ("my order 4417 is late", "my order {{order_number}} is late"),
        ("write to amit.patel@example.com please", "write to {{customer_email}} please"),
        ("call me on 9876543210", "call me on {{customer_phone}}"),
        ("paid ₹500 for it", "paid {{currency}}500 for it"),
        ("within 3-5 business days", "within 3-5 business days"),
        ("on November 15th, 2023.", "on {{date}}."),
        ("Hello Mr. Sharma, welcome", "Hello {{customer_name}}, welcome"),
    ],
)
def test_numbers_and_people_become_slots(text: str, expected: str) -> None:
    assert with_slots(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I understand, sir/madam. Wait.", "I understand. Wait."),
        ("I understand your worry, Sir/Madam.", "I understand your worry."),
        ("Sir, please wait.", "Please wait."),
    ],
)
def test_sir_and_madam_are_dropped(text: str, expected: str) -> None:
    assert without_honorifics(text) == expected


def test_a_dialogue_ends_before_a_placeholder_in_brackets() -> None:
    turns = [("user", "hi"), ("assistant", "hello"), ("user", "when"), ("assistant", "on [Date]")]
    assert clean_turns(turns, dialogue=True) == [("user", "hi"), ("assistant", "hello")]


def test_a_conversation_with_violent_words_is_dropped() -> None:
    assert clean_turns([("user", "i will murder someone"), ("assistant", "Sorry")]) == []


def test_cleaned_conversations_alternate_and_hold_no_retailer(corpus: list[Conversation]) -> None:
    assert len(corpus) == 140
    for conversation in corpus:
        roles = [message.role for message in conversation.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert not any(RETAILER.search(message.content) for message in conversation.messages)


def test_equal_questions_are_in_one_split() -> None:
    assert question_key("Where IS my order 12?") == question_key("where is my order 99")
    one, two = (Conversation(str(i), "bitext:where is my order", ()) for i in range(2))
    assert one.split == two.split


def test_splits_are_disjoint_and_complete(corpus: list[Conversation]) -> None:
    parts = {split: {c.group for c in in_split(corpus, split)} for split in SPLITS}
    assert not parts["train"] & parts["test"]
    assert not parts["train"] & parts["validation"]
    assert sum(len(in_split(corpus, split)) for split in SPLITS) == len(corpus)


def test_an_unknown_split_is_refused(corpus: list[Conversation]) -> None:
    with pytest.raises(ValueError, match="split must be one of"):
        in_split(corpus, "dev")


def test_joined_conversations_lose_nothing(corpus: list[Conversation]) -> None:
    joined = join_turns(corpus, share=0.5, seed=0)
    assert sum(map(len, joined)) == sum(len(c.messages) for c in corpus)
    assert any(len(messages) in (4, 6) for messages in joined)
    assert joined == join_turns(corpus, share=0.5, seed=0)


def test_heldout_prompts_are_test_questions_that_end_with_the_user(
    corpus: list[Conversation],
) -> None:
    prompts = heldout_prompts(corpus, limit=5)
    test_ids = {c.id for c in in_split(corpus, "test")}
    assert prompts
    assert all(p["messages"][-1]["role"] == "user" for p in prompts)
    assert {p["id"] for p in prompts} <= test_ids


def test_the_corpus_command_writes_a_prompts_file(data_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "heldout.jsonl"
    arguments = ["corpus", "--data", str(data_folder), "--heldout", str(out), "--limit", "3"]
    result = CliRunner().invoke(train_app, arguments)
    assert result.exit_code == 0, result.output
    assert all(set(json.loads(line)) == {"id", "messages"} for line in out.read_text().splitlines())


def test_a_missing_data_folder_is_a_clear_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(train_app, ["corpus", "--data", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "no data folder at" in result.output


def test_the_hub_csv_gives_the_same_conversations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "bitext.csv"
    with table.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(["flags", "instruction", "category", "intent", "response"])
        writer.writerow(
            ["B", "cancel order {{Order Number}}", "ORDER", "cancel_order", "Sure.\nDone"]
        )
    monkeypatch.setattr(corpus_module, "download_bitext", lambda: table)
    (conversation,) = load_corpus(from_hub=True)
    assert [m.content for m in conversation.messages] == [
        "cancel order {{order_number}}",
        "Sure.\nDone",
    ]


@pytest.fixture(scope="session")
def real_corpus() -> list[Conversation]:
    """The whole corpus, where the data files are and SPECCHAT_TEST_DATA asks for them."""
    if not os.environ.get("SPECCHAT_TEST_DATA"):
        pytest.skip("set SPECCHAT_TEST_DATA=1 to check the real data files (40 s)")
    try:
        return load_corpus(data_directory())
    except FileNotFoundError:
        pytest.skip("the data files are not here")


def test_the_real_corpus_is_clean(real_corpus: list[Conversation]) -> None:
    assert len(real_corpus) > 30_000
    found: set[str] = set()
    for conversation in real_corpus:
        for message in conversation.messages:
            assert not RETAILER.search(message.content.replace("amazing", "")), message
            found.update(re.findall(r"\{\{[^}]*\}\}", message.content))
    assert found <= set(SLOT_TOKENS)


def test_no_test_question_of_the_real_corpus_is_trained_on(
    real_corpus: list[Conversation],
) -> None:
    trained = {question_key(c.messages[0].content) for c in in_split(real_corpus, "train")}
    single = [c for c in in_split(real_corpus, "test") if c.id.startswith("bitext")]
    assert not [c for c in single if question_key(c.messages[0].content) in trained]
