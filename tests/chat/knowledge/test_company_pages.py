"""FAQ, profile and policies as passages that can be quoted."""

from __future__ import annotations

from pathlib import Path

import pytest

from specchat.chat.company.profile import (
    COMPANY_DIRECTORY,
    Company,
    CompanyError,
    load_company,
)
from specchat.chat.knowledge.company_pages import company_passages
from specchat.chat.knowledge.passage import Passage


@pytest.fixture(scope="module")
def company() -> Company:
    return load_company()


@pytest.fixture(scope="module")
def passages(company: Company) -> dict[str, Passage]:
    return {each.id: each for each in company_passages(company)}


def test_every_faq_entry_is_a_passage(company: Company, passages: dict[str, Passage]) -> None:
    for entry in company.faq:
        passage = passages[f"faq:en:{entry.id}"]
        assert (passage.title, passage.text) == (entry.question, entry.answer)
        assert passage.words.split() == " ".join(entry.tags).split()


@pytest.mark.parametrize(
    ("page", "fact"),
    [
        ("contact", "write to help@fernhollow.example."),
        ("contact", "Our support hours are Monday to Saturday, 8 a.m. to 8 p.m."),
        ("delivery-countries", "Canada, the United Kingdom, Ireland"),
        ("delivery-times", "Express delivery takes 1-2 business days."),
        ("delivery-fees", "Standard delivery costs $4.90 and is free from $60."),
        ("returns", "within 30 days."),
        ("refunds", "A refund takes 5-7 business days."),
        ("cancellation", "until it is handed to the carrier. Cancellation fee: None before"),
        ("payment", "bank transfer or gift card."),
    ],
)
def test_policies_are_whole_sentences(passages: dict[str, Passage], page: str, fact: str) -> None:
    text = passages[f"facts:en:{page}"].text
    assert fact in text
    assert text.endswith(".")
    assert ".." not in text


def test_the_german_texts_are_passages_too(company: Company) -> None:
    found = company_passages(company)
    by_language = {
        language: {each.id.split(":", 2)[2] for each in found if each.language == language}
        for language in ("en", "de")
    }
    assert by_language["en"] == by_language["de"]
    german = next(each for each in found if each.id == "facts:de:delivery-times")
    assert german.text.startswith("Die Standardlieferung dauert 3-5 Werktage.")


def test_a_list_of_one_is_no_list(company: Company) -> None:
    delivery = company.delivery.model_copy(update={"countries": ("Canada",)})
    only = company.model_copy(update={"delivery": delivery, "german": None})
    page = next(each for each in company_passages(only) if each.id == "facts:en:delivery-countries")
    assert page.text.startswith("We deliver to Canada.")


def test_a_company_may_bring_documents_in_place_of_a_faq_and_deliver_nothing(
    tmp_path: Path,
) -> None:
    facts = (COMPANY_DIRECTORY / "company.toml").read_text(encoding="utf-8")
    (tmp_path / "company.toml").write_text(facts.partition("[delivery]")[0], encoding="utf-8")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "dogs.md").write_text("# Dogs\n\nDogs stay outside.", encoding="utf-8")
    found = {each.title: each for each in company_passages(load_company(tmp_path))}
    assert found["Dogs"].text == "Dogs stay outside."
    assert found["Dogs"].source == "company"
    assert "Where we deliver to" not in found
    (tmp_path / "pages" / "cats.md").write_text("", encoding="utf-8")
    with pytest.raises(CompanyError, match=r"cats\.md: holds no text"):
        company_passages(load_company(tmp_path))
