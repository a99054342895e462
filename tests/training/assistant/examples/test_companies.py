"""Company files are read whole or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from specchat.training.assistant.examples.companies import read_companies, read_company


def test_a_company_is_read(texts: Path) -> None:
    kind = read_company(texts / "companies/tea_shop.toml")
    assert kind.id == "tea_shop"
    assert [page.id for page in kind.pages] == ["returns", "contact"]
    assert kind.pages[0].follows[0].after == "window"


def test_needed_sentences_stand_in_the_pages_order(texts: Path) -> None:
    kind = read_company(texts / "companies/tea_shop.toml")
    assert kind.pages[0].asks[1].needs == ("window", "fee")


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ('needs = ["window"]', 'needs = ["nothing"]', "'nothing', which its page lacks"),
        ("within {days}", "within {weeks}", "the fact 'weeks', which the file lacks"),
        ('names = ["Leaf & Co", "Teahouse"]', "names = []", "expected a list of texts"),
        ("[facts]", "[other]", "lacks 'facts'"),
    ],
)
def test_a_mistake_is_named(texts: Path, tmp_path: Path, wrong: str, right: str, said: str) -> None:
    text = (texts / "companies/tea_shop.toml").read_text()
    file = tmp_path / "shop.toml"
    file.write_text(text.replace(wrong, right, 1))
    with pytest.raises(ValueError, match=r"shop\.toml") as error:
        read_company(file)
    assert said in str(error.value)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no company files"):
        read_companies(tmp_path)
