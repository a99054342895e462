"""Passages and vectors: what is stored is found, replaced by source, counted up."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage import PassageRow, Store, open_store


def row(source: str, position: int = 0, text: str = "We deliver in two days.") -> PassageRow:
    return PassageRow(source=source, position=position, title="Delivery", text=text)


def test_a_source_takes_the_place_of_what_it_was(store: Store) -> None:
    store.knowledge.replace_source("a.md", [row("a.md", 0), row("a.md", 1, "Free from $60.")])
    store.knowledge.replace_source("b.md", [row("b.md")])
    store.knowledge.replace_source("a.md", [row("a.md", 0, "We deliver in one day.")])
    assert [(each.source, each.text) for each in store.knowledge.passages()] == [
        ("a.md", "We deliver in one day."),
        ("b.md", "We deliver in two days."),
    ]
    assert [(each.source, each.passages) for each in store.knowledge.sources()] == [
        ("a.md", 1),
        ("b.md", 1),
    ]


def test_a_source_without_passages_is_gone(store: Store) -> None:
    store.knowledge.replace_source("a.md", [row("a.md")])
    store.knowledge.replace_source("a.md", [])
    assert store.knowledge.sources() == []


def test_a_source_can_be_hidden_and_shown(store: Store) -> None:
    store.knowledge.replace_source("a.md", [row("a.md")])
    store.knowledge.set_searchable("a.md", False)
    assert store.knowledge.passages(searchable_only=True) == []
    assert store.knowledge.sources()[0].searchable == 0
    store.knowledge.set_searchable("a.md", True)
    assert len(store.knowledge.passages(searchable_only=True)) == 1


def test_every_change_of_the_passages_counts_the_version_up(store: Store) -> None:
    versions = [store.knowledge.version()]
    store.knowledge.replace_source("a.md", [row("a.md")])
    versions.append(store.knowledge.version())
    store.knowledge.set_searchable("a.md", False)
    versions.append(store.knowledge.version())
    store.knowledge.put_vectors("m", {row("a.md").sha: b"1"})  # the same for every process
    versions.append(store.knowledge.version())
    assert versions == [0, 1, 2, 2]


def test_another_process_sees_the_change(store: Store, path: Path) -> None:
    with open_store(f"sqlite:///{path}") as other:
        other.knowledge.replace_source("a.md", [row("a.md")])
    assert store.knowledge.version() == 1
    assert len(store.knowledge.passages()) == 1


def test_vectors_are_kept_by_what_they_stand_for(store: Store) -> None:
    first, second = row("a.md"), row("a.md", 1, "Free from $60.")
    store.knowledge.replace_source("a.md", [first, second])
    store.knowledge.put_vectors("m", {first.sha: b"1", second.sha: b"2", "company": b"3"})
    assert store.knowledge.vectors("m", [first.sha, "never"]) == {first.sha: b"1"}
    assert store.knowledge.vectors("other", [first.sha]) == {}


@pytest.mark.parametrize(("keep", "left"), [(frozenset(), {}), ({"company"}, {"company": b"3"})])
def test_vectors_of_nothing_are_dropped(
    store: Store, keep: set[str], left: dict[str, bytes]
) -> None:
    store.knowledge.put_vectors("m", {"company": b"3"}, keep={"company"})
    store.knowledge.put_vectors("m", {}, keep=keep)
    assert store.knowledge.vectors("m", ["company"]) == left


def test_a_change_of_the_model_drops_the_old_vectors(store: Store) -> None:
    store.knowledge.put_vectors("old", {"a": b"1"}, keep={"a"})
    store.knowledge.put_vectors("new", {"a": b"2"}, keep={"a"})
    assert store.knowledge.vectors("old", ["a"]) == {}
    assert store.knowledge.vectors("new", ["a"]) == {"a": b"2"}


def test_what_a_database_cannot_hold_is_replaced(store: Store) -> None:
    given = row("a.md", text="half \ud800 and \x00")
    store.knowledge.replace_source("a.md", [given])
    (stored,) = store.knowledge.passages()
    assert stored.text == "half \ufffd and \ufffd"
