"""The company file: what it must hold, and what is said when it does not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from specchat.chat.company.faq_search import FaqIndex
from specchat.chat.company.profile import (
    COMPANY_DIRECTORY,
    COMPANY_SLOTS,
    CompanyError,
    load_company,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(COMPANY_DIRECTORY, tmp_path / "shop")
    return tmp_path / "shop"


def edited(folder: Path, name: str, old: str, new: str) -> Path:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return folder


def test_the_bundled_company_has_every_fact_and_a_rich_faq() -> None:
    company = load_company()
    assert set(company.slot_values()) == set(COMPANY_SLOTS)
    assert all(company.slot_values().values())
    assert len(company.faq) >= 25


def test_the_bundled_company_can_reach_nobody_real() -> None:
    company = load_company()
    assert re.search(r"555-01\d\d$", company.support_phone)
    for address in (company.support_email, company.website_url, company.login_url):
        assert ".example" in address


def test_company_slots_in_faq_answers_are_filled_on_load() -> None:
    company = load_company()
    assert all("{{" not in entry.answer for entry in company.faq)
    contact = next(entry for entry in company.faq if entry.id == "contact")
    assert company.support_phone in contact.answer


def test_a_value_that_ends_in_a_full_stop_ends_its_sentence(folder: Path) -> None:
    company = load_company(folder)
    assert company.support_hours
    assert company.support_hours.endswith("p.m.")
    contact = next(entry for entry in company.faq if entry.id == "contact")
    assert contact.answer.endswith("8 p.m.")
    assert not contact.answer.endswith("..")


def test_a_file_of_the_company_stands_for_its_folder(folder: Path) -> None:
    assert load_company(folder / "company.toml") == load_company(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("company.toml", 'name = "Fernhollow"', "", "name: Field required"),
        ("company.toml", "return_days = 30", "return_days = 0", "policies.return_days"),
        ("company.toml", "currency", "curency", "curency: Extra inputs"),
        ("company.toml", 'name = "', 'name = "{{', "name:"),
        ("company.toml", "help@", "help at ", "support_email"),
        ("company.toml", "[delivery]", "[delivery", "not valid TOML"),
        ("faq.toml", 'id = "late-parcel"', 'id = "track-order"', "two FAQ entries"),
        ("faq.toml", "{{login_url}}", "{{order_number}}", "uses {{order_number}}"),
    ],
)
def test_a_mistake_in_a_company_file_is_named(
    folder: Path, name: str, old: str, new: str, said: str
) -> None:
    with pytest.raises(CompanyError, match=re.escape(said)):
        load_company(edited(folder, name, old, new))


def test_a_missing_company_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompanyError, match=r"company\.toml: cannot be read"):
        load_company(tmp_path / "nowhere")


def facts(text: str) -> list[str]:
    """Amounts, counts of days and links of a help page, however the language writes them."""
    money = re.sub(r"(\d),(\d)", r"\1.\2", re.sub(r"\$(\d+(?:\.\d+)?)", r"\1 $", text))
    clock = re.sub(r"(?i:\d+ [ap]\.m\.|\d+ bis \d+ uhr|\d+ uhr)", "", money)
    return sorted(re.findall(r"\d[\d.]*(?: \$)?(?<!\.)|[\w.@/]+\.example\S*\b", clock))


def test_the_german_help_pages_promise_the_same() -> None:
    company = load_company()
    assert company.german is not None
    for entry, said in zip(company.faq, company.german.faq, strict=True):
        assert facts(said.answer) == facts(entry.answer), entry.id
        assert said.question != entry.question
        assert said.answer != entry.answer
    for order, named in zip(company.orders, company.german.orders, strict=True):
        told = {"items": named.items, "total": named.total}
        assert order.model_copy(update=told) == named
        assert facts(named.total) == facts(order.total)
    assert company.german.delivery.free_from == "60 $"
    assert not set(company.topics) & set(company.german.topics)


def test_a_company_without_german_is_shown_as_it_is(folder: Path) -> None:
    shutil.rmtree(folder / "de")
    assert load_company(folder).german is None


def test_the_german_folder_is_a_company_of_its_own() -> None:
    company = load_company(COMPANY_DIRECTORY / "de")
    assert (company.language, company.german) == ("de", None)
    found = FaqIndex(company.faq).search("Wo bleibt meine Erstattung?")
    assert "refund-status" in [entry.id for entry in found]


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("faq.toml", 'id = "late-parcel"', 'id = "late"', "ids of the FAQ must be"),
        ("company.toml", '  "Meine Lieferadresse ändern",\n', "", "number of topics must be 6"),
        ("orders.toml", 'number = "4418"', 'number = "4419"', "orders and their items must be"),
        ("orders.toml", ', "LED-Lampe E27, 2 Stück"', "", "orders and their items must be"),
        ("company.toml", 'language = "de"', 'language = "en"', 'language must be "de"'),
        ("company.toml", 'name = "Fernhollow"', "", "name: Field required"),
    ],
)
def test_german_that_does_not_fit_is_refused(
    folder: Path, name: str, old: str, new: str, said: str
) -> None:
    edited(folder / "de", name, old, new)
    with pytest.raises(CompanyError, match=f"/de: .*{re.escape(said)}"):
        load_company(folder)


@pytest.mark.parametrize(
    ("question", "entry"),
    [
        ("where is my refund for order 4417?", "refund-status"),
        ("how do I cancel my purchase", "cancel-order"),
        ("can i pay with paypal", "payment-methods"),
        ("I forgot the password of my account", "forgot-password"),
        ("do you ship to Canada? which countries", "delivery-countries"),
        ("i want to speak with a human agent", "human-agent"),
        ("how to get my bill as pdf", "find-invoice"),
    ],
)
def test_the_faq_entry_that_fits_is_found(question: str, entry: str) -> None:
    assert entry in [found.id for found in FaqIndex(load_company().faq).search(question)]


@pytest.mark.parametrize("question", ["", "hello, can you help me?", '" OR AND( * ^', "ßß 日本"])
def test_nothing_is_found_for_words_without_weight(question: str) -> None:
    assert FaqIndex(load_company().faq).search(question) == ()
