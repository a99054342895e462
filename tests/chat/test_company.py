"""The company file: what it must hold, and what is said when it does not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from specchat.chat.company import COMPANY_DIRECTORY, COMPANY_SLOTS, CompanyError, load_company
from specchat.chat.faq import FaqIndex


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
