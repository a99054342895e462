"""Words and vectors find passages."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from specchat.chat.knowledge.full_text import FullText, search_words
from specchat.chat.knowledge.index import Index, passage_vectors
from specchat.chat.knowledge.passage import Passage
from tests.chat.knowledge.made_up import WordVectors

PAGES = (
    Passage("fees", "a", "What delivery costs", "A parcel costs $4. It is free from $60."),
    Passage("times", "a", "How long it takes", "We deliver in two days.", "shipping eta"),
    Passage("cafe", "a", "Cafés", "Our café in Köln serves cake."),
    Passage("de", "a", "Lieferung", "Wir liefern in zwei Tagen.", language="de"),
    Passage("en", "a", "Stores", "Our stores open at nine.", language="en"),
)


def index(vectors: WordVectors | None = None) -> Index:
    encoded = None if vectors is None else passage_vectors(PAGES, vectors)
    return Index(PAGES, encoded)


def ids(question: str, vectors: WordVectors | None = None, language: str = "") -> list[str]:
    asked = None if vectors is None else vectors.encode_questions([question])
    found = index(vectors).search([(question, 1.0)], asked, 5, language)
    return [each.passage.id for each in found]


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("delivering", "times"),  # stemmed
        ("DELIVERY COST", "fees"),
        ("shipping", "times"),  # among the further words
        ("cafe koln", "cafe"),  # without accents
        (unicodedata.normalize("NFD", "Köln café"), "cafe"),
        ("ﬁrst cake", "cafe"),  # a ligature
        ('cake" OR NOT (', "cafe"),  # no syntax of the search engine
    ],
)
def test_words_find_whatever_their_form(question: str, best: str) -> None:
    assert ids(question)[0] == best


def test_part_of_a_word_finds_nothing() -> None:
    assert ids("deliver cak") == ["times"]  # "deliver" is a stem, "cak" is not
    assert ids("deli cak") == []


def test_without_a_word_of_weight_nothing_is_found() -> None:
    assert ids("how is it") == []
    assert search_words("how is it, und wie ist das") == []


def test_words_of_the_title_count_more() -> None:
    pages = [Passage("text", "a", "x", "refund y"), Passage("title", "a", "refund", "x y")]
    scores = FullText(pages).scores("refund")
    assert scores[1] > scores[0] > 0


def test_the_nearest_sentence_finds_a_long_page() -> None:
    vectors = WordVectors()
    filler = " ".join(f"Sentence{n} of topic{n} says thing{n}." for n in range(12))
    long = Passage("long", "a", "Everything", f"{filler} Umbrellas can be rented.")
    other = Passage("other", "a", "Umbrellas", "Raincoats, boots, hats, gloves are sold here.")
    both = Index([other, long], passage_vectors((other, long), vectors))
    (best, _) = both.search([("umbrellas rented", 1.0)], vectors.encode(["umbrellas rented"]), 2)
    assert best.passage.id == "long"


def test_a_sentence_is_about_what_its_title_says() -> None:
    vectors = WordVectors()
    pages = (
        Passage("complaint", "a", "Complaints", "Opening remark. Write to us about it."),
        Passage("review", "a", "Reviews", "Opening remark. Write to us about it."),
    )
    (rows, _) = passage_vectors(pages, vectors)
    assert rows.shape == (3, vectors.dimensions)
    alone, titled = vectors.encode([pages[0].sentences[1], f"Complaints\n{pages[0].sentences[1]}"])
    assert np.allclose(rows[2], (alone + titled) / 2)
    found = Index(pages, passage_vectors(pages, vectors))
    question = "write complaints"
    (best, _) = found.search([(question, 1.0)], vectors.encode([question]), 2)
    assert best.passage.id == "complaint"


def test_pages_in_another_language_are_left_out() -> None:
    vectors = WordVectors()
    assert "de" not in ids("stores", vectors, "en")
    assert "en" not in ids("Lieferung", vectors, "de")
    assert {"fees", "de", "en"} <= set(ids("stores", vectors))


def test_several_texts_are_weighed() -> None:
    vectors = WordVectors()
    texts = [("stores", 1.0), ("cake", 0.1)]
    encoded = vectors.encode_questions([text for text, _ in texts])
    assert index(vectors).search(texts, encoded, 1)[0].passage.id == "en"
    swapped = [("stores", 0.1), ("cake", 1.0)]
    assert index(vectors).search(swapped, encoded, 1)[0].passage.id == "cafe"


def test_an_empty_index_finds_nothing() -> None:
    assert Index((), []).search([("stores", 1.0)], np.ones((1, 4), np.float32), 3) == []
