"""The German catalogue fits the script that uses it, and the texts it is meant for."""

from __future__ import annotations

import json
import re

import pytest

from specchat.chat.company.profile import load_company
from specchat.evidence.scenario import SCENARIOS
from specchat.ui.dashboard.data import LOADS, PERIODS
from specchat.ui.german.catalogue import PATTERNS, TEXTS
from specchat.ui.language import language_head
from specchat.ui.shared.theme import STYLE_DIRECTORY
from specchat.ui.shared.token_highlights import STYLES, legend


def visible(html: str) -> set[str]:
    """Texts between tags that have a word in them."""
    texts = (" ".join(text.split()) for text in re.split(r"<[^>]*>", html))
    return {text for text in texts if re.search(r"[A-Za-z]{2}", text)}


@pytest.mark.parametrize("name", ["race.html", "tour.html"])
def test_every_text_of_a_template_is_translated(name: str) -> None:
    assert visible((STYLE_DIRECTORY / name).read_text(encoding="utf-8")) <= TEXTS.keys()


def test_menus_and_legend_are_translated() -> None:
    wanted = {*LOADS, *PERIODS, *(scenario.label for scenario in SCENARIOS)}
    assert wanted | visible(legend(STYLES)) <= TEXTS.keys()


@pytest.mark.parametrize(("pattern", "german"), PATTERNS)
def test_patterns_have_the_groups_that_are_put_in(pattern: str, german: str) -> None:
    groups = re.compile(pattern).groups
    assert all(int(number) <= groups for number in re.findall(r"\$(\d)", german))


def test_the_head_holds_the_catalogue_and_cannot_be_ended_by_it() -> None:
    head = language_head(load_company())
    assert json.dumps("Wo ist Bestellung 4417?") in head
    assert '"usual": "en"' in head
    assert head.count("</script>") == 1
    assert json.dumps(TEXTS["Delivery"], ensure_ascii=False) in head
    assert "CATALOGUE" not in head
