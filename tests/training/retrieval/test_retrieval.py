"""Made-up companies are written out the same by seed, and searched in every way."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch

from specchat.pretrained.adapter import read_adapter
from specchat.pretrained.sentence_vectors import load_encoder, load_sentence_vectors
from specchat.training.retrieval.finetune import Finetuning, Recipe
from specchat.training.retrieval.lora import add_lora, average_lora, save_lora
from specchat.training.retrieval.measuring import Case, Group, calibrated, measured, report
from specchat.training.retrieval.shops import Shop, shops, written
from tests.chat.knowledge.made_up import WordVectors
from tests.pretrained.tiny_bert import save_tiny_bert
from tests.training.retrieval.made_up_company import COMPANY


@pytest.fixture
def shop() -> Shop:
    return written(tomllib.loads(COMPANY), seed=1)


def test_a_company_is_written_out_the_same_by_seed(shop: Shop) -> None:
    assert written(tomllib.loads(COMPANY), seed=1) == shop
    assert len({written(tomllib.loads(COMPANY), seed).pages[0].text for seed in range(9)}) > 3


def test_facts_stand_in_pages_and_questions(shop: Shop) -> None:
    texts = [page.text for page in shop.pages] + [asked.question for asked in shop.asked]
    assert not any("{" in text for text in texts)
    assert any(shop.name in asked.question for asked in shop.asked)


def test_a_follow_up_knows_what_was_said_before(shop: Shop) -> None:
    (follow,) = [asked for asked in shop.asked if asked.earlier]
    ((question, answer),) = follow.earlier
    assert (follow.page, follow.question) == ("delivery", "and what is it?")
    assert answer == shop.pages[0].sentences["time"]
    assert question in [asked.question for asked in shop.asked]


def test_every_question_is_searched_in_every_way(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(COMPANY)
    other = COMPANY.replace("lamp", "hat").replace("deliver", "carry")
    (tmp_path / "b.toml").write_text(other)
    found = measured(shops([tmp_path], seed=1), WordVectors())
    assert {case.group for case in found} == {
        "answerable",
        "left out",
        "stranger",
        "follow-up",
        "switched",
    }
    assert all(case.place is None and not case.right for case in found if case.group == "left out")
    told = report(found)
    assert told["answerable"]["questions"] == 6  # type: ignore[index]
    assert told["answerable"]["recall@2"] == 1.0  # type: ignore[index]


def test_the_calibration_finds_the_level_that_parts_right_from_wrong() -> None:
    right = [case("answerable", 0.8 + n / 100, 0) for n in range(5)]
    wrong = [case("left out", 0.4 + n / 100, None) for n in range(5)]
    blurred = [case("answerable", 0.45, 0), case("left out", 0.8, None)]
    found = calibrated([*right, *wrong, *blurred])
    assert found.scale > 3
    assert 0.42 < found.none < 0.8


def case(group: Group, best: float, place: int | None) -> Case:
    return Case(group, "a", (best, 0.3), place, 1, place is not None)


def test_training_goes_on_from_what_was_saved_and_gives_an_adapter(tmp_path: Path) -> None:
    model = save_tiny_bert(tmp_path / "bert")
    (tmp_path / "a.toml").write_text(COMPANY)
    plain = load_sentence_vectors(str(model))
    assert plain is not None
    said: list[str] = []
    recipe = Recipe(companies=1, questions=3, writings=1, rank=2, layers=(0, 1))
    for minutes in (0.02, 0.04):
        training = Finetuning(model, plain.tokenizer, [tmp_path / "a.toml"], ["2 + 2?"], recipe)
        training.run(tmp_path / "out", "tiny", minutes, said.append)
    steps = [int(line.split()[1]) for line in said]
    assert steps == sorted(set(steps))  # the second run did not begin anew
    adapted = load_sentence_vectors(str(model), tmp_path / "out")
    assert adapted is not None
    changed = adapted.encode_questions(["refund"]) - plain.encode_questions(["refund"])
    assert abs(changed).max() > 1e-6


def test_the_mean_of_adapters_adds_the_mean_of_what_they_add(tmp_path: Path) -> None:
    found = []
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        model = load_encoder(save_tiny_bert(tmp_path / "bert"))
        for factor in add_lora(model, (0, 1), 2, 4.0):
            torch.nn.init.normal_(factor)
        save_lora(model, tmp_path / name, "tiny")
        found.append(read_adapter(tmp_path / name))
    average_lora([tmp_path / "one", tmp_path / "two"], tmp_path / "mean")
    mean = read_adapter(tmp_path / "mean")
    for name in found[0].down:
        wanted = (found[0].delta(name) + found[1].delta(name)) / 2
        torch.testing.assert_close(mean.delta(name), wanted)
