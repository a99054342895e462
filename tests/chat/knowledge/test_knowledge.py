"""What the shop knows: found, kept, renewed, in whatever state the store is."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from specchat.chat.company.profile import Company, load_company
from specchat.chat.knowledge import COMPANY, Exchange, Knowledge, Passage
from storage import Store, open_store
from tests.chat.knowledge.made_up import WordVectors


def page(text: str, source: str = "cats.md", title: str = "Cats") -> Passage:
    return Passage(f"{source}#0", source, title, text)


def best(knowledge: Knowledge, question: str) -> str:
    return knowledge.search(question, 1)[0].passage.text


@pytest.fixture
def knowledge(store: Store, company: Company, vectors: WordVectors) -> Knowledge:
    return Knowledge(store, company, vectors)


def test_the_companys_own_pages_are_found(knowledge: Knowledge) -> None:
    (found,) = knowledge.search("How do I cancel my order?", 1)
    assert found.passage.id == "faq:en:cancel-order"
    assert found.passage.source == COMPANY


def test_words_alone_do_without_vectors(store: Store, company: Company) -> None:
    knowledge = Knowledge(store, company, None)
    assert not knowledge.uses_vectors
    judgement = knowledge.judge("Which countries do you deliver to?")
    assert "Canada" in judgement.passages[0].text
    assert knowledge.judge("Blorf the zyzzyva").passages == ()


def test_an_imported_page_is_found_at_once_and_gone_at_once(knowledge: Knowledge) -> None:
    knowledge.add([page("Whiskers are washed on Sundays.")])
    assert best(knowledge, "whiskers washed") == "Whiskers are washed on Sundays."
    assert [each.source for each in knowledge.sources()] == ["cats.md"]
    assert knowledge.remove("cats.md")
    assert not knowledge.remove("cats.md")
    assert all(each.passage.source == COMPANY for each in knowledge.search("whiskers", 50))


def test_a_document_takes_the_place_of_what_it_was(knowledge: Knowledge) -> None:
    knowledge.add([page("Whiskers are washed on Sundays.")])
    knowledge.add([page("Whiskers are washed on Mondays.")])
    texts = [each.text for each in knowledge.passages() if each.source == "cats.md"]
    assert texts == ["Whiskers are washed on Mondays."]


def test_what_another_process_imports_is_seen(
    knowledge: Knowledge, company: Company, url: str
) -> None:
    with open_store(url) as other:
        Knowledge(other, company, WordVectors()).add([page("Whiskers are washed on Sundays.")])
        assert best(knowledge, "whiskers washed") == "Whiskers are washed on Sundays."
        other.knowledge.set_searchable("cats.md", False)
        assert "Whiskers" not in best(knowledge, "whiskers washed")


def test_vectors_are_computed_once_and_stored(
    store: Store, company: Company, vectors: WordVectors
) -> None:
    Knowledge(store, company, vectors).add([page("Whiskers are washed on Sundays.")])
    again = WordVectors()
    assert best(Knowledge(store, company, again), "whiskers") == "Whiskers are washed on Sundays."
    assert again.encoded == []


def test_an_app_beside_an_import_computes_nothing(
    store: Store, company: Company, url: str, vectors: WordVectors
) -> None:
    running = WordVectors()
    knowledge = Knowledge(store, company, running)
    before = len(running.encoded)
    with open_store(url) as other:
        Knowledge(other, company, vectors).add([page("Whiskers are washed on Sundays.")])
    assert best(knowledge, "whiskers washed") == "Whiskers are washed on Sundays."
    assert len(running.encoded) == before


def test_another_vector_model_computes_its_own(store: Store, company: Company) -> None:
    Knowledge(store, company, WordVectors("one"))
    other = WordVectors("two")
    Knowledge(store, company, other)
    assert len(other.encoded) > len(company.faq)


def test_the_same_text_of_two_sources_is_searched_once(knowledge: Knowledge) -> None:
    knowledge.add([page("Whiskers."), page("Whiskers.", source="copy.md")])
    assert sum(each.text == "Whiskers." for each in knowledge.passages()) == 1


def test_no_document_can_pass_for_the_companys_own(knowledge: Knowledge) -> None:
    with pytest.raises(ValueError, match="kept for the company's own files"):
        knowledge.add([page("x", source=COMPANY)])


def test_a_follow_up_stays_with_what_was_answered(knowledge: Knowledge) -> None:
    knowledge.add(
        [
            page("Whiskers are washed in a bath.", "a.md", "Whiskers"),
            page("A bath of the feathers lasts ten minutes.", "b.md", "Feathers"),
        ]
    )
    earlier = [Exchange("How are whiskers washed?", "Whiskers are washed in a bath.")]
    assert knowledge.judge("and where is it?", earlier).passages[0].source == "a.md"


def test_questions_in_german_find_german_pages(store: Store, vectors: WordVectors) -> None:
    knowledge = Knowledge(store, load_company(), vectors)
    assert knowledge.search("Wie lange dauert die Lieferung?", 1)[0].passage.language == "de"
    assert knowledge.search("How long does delivery take?", 1)[0].passage.language == "en"


def test_a_store_that_is_away_leaves_what_was_read(knowledge: Knowledge, store: Store) -> None:
    store.close()
    assert knowledge.search("How do I cancel my order?", 1)[0].passage.id == "faq:en:cancel-order"


@pytest.mark.parametrize("question", ["", "   ", "?", "\x00", "💥", "a" * 5_000])
def test_no_question_is_too_strange(knowledge: Knowledge, question: str) -> None:
    judgement = knowledge.judge(question)
    assert 0 <= judgement.chance <= 1
    assert isinstance(knowledge.search(question), list)


def test_threads_search_while_pages_change(knowledge: Knowledge, tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def searching() -> None:
        try:
            for _ in range(20):
                assert knowledge.search("How do I cancel my order?", 1)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=searching) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(5):
        knowledge.add([page(f"Whiskers are washed {number} times.")])
    for thread in threads:
        thread.join()
    assert failed == []
