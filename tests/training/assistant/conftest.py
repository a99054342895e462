"""Two small kinds of company, one of them held out, with the project's own talk and orders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from specchat.training.assistant.examples.desk import World

TEXTS = Path(__file__).resolve().parents[3] / "assets/training"

SHOP = """
kind = "tea shop"
names = ["Leaf & Co", "Teahouse"]
descriptions = ["{name} sells tea."]
[facts]
days = ["14 days", "30 days"]
fee = ["$4.50", "€3"]
mail = ["help@leaf.example"]
[[page]]
id = "returns"
titles = ["Returns", "How do I return tea?"]
[page.say]
window = ["Send tea back within {days}.", "Tea may be returned within {days}.", "Back in {days}."]
fee = ["The label costs {fee}.", "A label is charged at {fee}.", "Label: {fee}."]
open = ["Opened tins stay with you.", "Opened tins are not taken back.", "No opened tins."]
[[page.ask]]
needs = ["window"]
q = ["how long can i return it", "Until when may I send it back?", "return deadline?"]
lead = ["", "Happy to help."]
[[page.ask]]
needs = ["fee", "window"]
q = ["what does it cost and how long", "cost and time of a return?", "price, deadline of returns"]
lead = [""]
[[page.follow]]
after = "window"
needs = ["fee"]
q = ["and what does it cost", "is that free?", "do i pay for it"]
lead = [""]
[[page]]
id = "contact"
titles = ["Contact"]
[page.say]
mail = ["Write to {mail}.", "Messages go to {mail}.", "Mail: {mail}."]
hours = ["We answer in a day.", "Answers take a day.", "One day for answers."]
[[page.ask]]
needs = ["mail"]
q = ["how do i reach you", "What is your address for mail?", "mail address"]
lead = ["", "Gladly."]
"""


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like assets/training."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "companies").mkdir()
    (folder / "companies/tea_shop.toml").write_text(SHOP)
    (folder / "companies/railway.toml").write_text(SHOP.replace("tea", "train"))
    for name in ("talk.toml", "orders.toml"):
        shutil.copy(TEXTS / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def world(texts: Path) -> World:
    """The two kinds, with all that is said."""
    return World.read(texts)
