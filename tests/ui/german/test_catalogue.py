"""The German catalogue fits the script that uses it, and says what the page says."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from specchat.chat.company.profile import load_company
from specchat.evidence.scenario import SCENARIOS
from specchat.ui.dashboard.data import LOADS, PERIODS
from specchat.ui.german import CATALOGUE, german_texts
from specchat.ui.language import DICTIONARY, dictionary_route, language_head
from specchat.ui.shared.token_highlights import STYLES, legend
from tests.ui.german import untranslated
from tests.ui.german.source_texts import HOLE, pieces, python_texts, script_texts
from tests.ui.german.untranslated import FOREIGN, KINDS, PLACE, Catalogue, left_over, missing, read

GROUPS = read()
SENTENCES = [pair for group in GROUPS.values() for pair in group.items()]


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue({english for english, _ in SENTENCES})


def test_every_sentence_of_the_page_has_its_german(catalogue: Catalogue) -> None:
    assert missing(catalogue) == {}


def test_a_sentence_that_nobody_translated_is_found(catalogue: Catalogue) -> None:
    catalogue.keys.remove("Pick a question")
    assert "Pick a question" in missing(catalogue)


def test_nothing_is_translated_that_is_not_said(catalogue: Catalogue) -> None:
    missing(catalogue)
    assert left_over(catalogue, GROUPS[FOREIGN]) == []
    catalogue.keys |= {"Press the button", "{n:number} buttons pressed"}
    assert left_over(catalogue, GROUPS[FOREIGN]) == [
        "Press the button", "{n:number} buttons pressed",
    ]  # fmt: skip


def test_menus_and_legend_are_translated(catalogue: Catalogue) -> None:
    wanted = [*LOADS, *PERIODS, *(each.label for each in SCENARIOS), *pieces(legend(STYLES))]
    assert [text for text in wanted if not catalogue.knows(text)] == []


def test_no_sentence_stands_twice_and_all_are_sorted() -> None:
    assert [english for english, n in Counter(key for key, _ in SENTENCES).items() if n > 1] == []
    for group in GROUPS.values():
        assert list(group) == sorted(group, key=lambda key: (key.lower(), key))


@pytest.mark.parametrize(("english", "german"), [p for p in SENTENCES if "{" in "".join(p)])
def test_the_german_has_places_of_the_english(english: str, german: str) -> None:
    places = [(place[1], place[2] or "name") for place in PLACE.finditer(english)]
    names = [name for name, _ in places]
    assert len(names) == len(set(names))
    assert {kind for _, kind in places} <= KINDS.keys()
    assert {place[1] for place in PLACE.finditer(german)} <= set(names)
    assert all(place[2] is None for place in PLACE.finditer(german))


SOURCE = '''
"""No sentence of the page."""
TITLE = "A title"
def words(n, found):
    """Nor is this."""
    log.info("nor this")
    verb = "saved" if n else "lost"
    text = f"{n} {verb}"
    if found:
        text += f"; {found} found"
    return alert(text, elem_id="sc-words")
'''


def test_strings_are_followed_through_the_branches_that_make_them() -> None:
    assert set(python_texts(SOURCE)) == {
        "A title",
        *(f"{HOLE} {verb}{end}" for verb in ("saved", "lost") for end in ("", f"; {HOLE} found")),
    }


def test_strings_of_a_script_are_found_where_they_stand() -> None:
    source = (
        """say(`${n} ${n === 1 ? "token" : "tokens"} left`); // not 'this'\nsay("it's done");"""
    )
    assert list(script_texts(source)) == [f"{HOLE} {HOLE} left", "token", "tokens", "it's done"]


def test_the_check_ends_with_an_error_where_german_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = {name: dict(group) for name, group in GROUPS.items()}
    del groups["walk-through"]["Close"]
    monkeypatch.setattr(untranslated, "read", lambda: groups)
    assert untranslated.main() == 1
    assert "'Close'" in capsys.readouterr().out


def test_the_company_is_german_too() -> None:
    texts = german_texts(load_company())
    assert texts["Where is order 4417?"] == "Wo ist Bestellung 4417?"
    assert texts["Delivery"] == GROUPS["race"]["Delivery"]
    assert CATALOGUE == untranslated.CATALOGUE


def test_the_head_names_the_dictionary_and_does_not_hold_it() -> None:
    head = language_head(load_company())
    assert f'"dictionary": "{DICTIONARY}?' in head
    assert '"usual": "en"' in head
    assert head.count("</script>") == 1
    assert json.dumps(GROUPS["race"]["Delivery"]) not in head
    assert dictionary_route(load_company()).path == f"/{DICTIONARY}"
