"""Suffix drafting: longest match, continuations by frequency, and growth."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.speculator import DraftContext
from specchat.speculators.suffix import native as suffix_native
from specchat.speculators.suffix.history import MOST_SALTS, SuffixHistory
from specchat.speculators.suffix.speculator import SuffixSpeculator
from specchat.speculators.suffix.suffix_array import (
    SORTED_TOKENS,
    SuffixArray,
    SuffixOptions,
    draft,
    frequent_tokens,
)

pytestmark = pytest.mark.usefixtures("several_threads")

ANSWERS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=30), min_size=1, max_size=6)


def context(
    tokens: list[int],
    max_depth: int = 20,
    salt: str = "",
    gumbel: torch.Tensor | None = None,
    temperature: float = 0.0,
) -> DraftContext:
    return DraftContext("r", tokens, 0, salt, None, temperature, gumbel, max_depth)


def drafted(speculator: SuffixSpeculator, tokens: list[int], **of_context: object) -> DraftTree:
    (tree,) = speculator.propose([context(tokens, **of_context)])  # type: ignore[arg-type]
    return tree


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    found = suffix_native.load()
    assert found is not None
    return found


@given(ANSWERS, st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_a_match_counts_every_occurrence(answers: list[list[int]], pattern: list[int]) -> None:
    size = len(pattern)
    occurrences = sum(
        answer[i : i + size] == pattern for answer in answers for i in range(len(answer) - size + 1)
    )
    assert len(SuffixArray.build(answers).find(pattern)) == occurrences


@given(ANSWERS, st.integers(0, 5))
def test_following_tokens_are_counted(answers: list[list[int]], token: int) -> None:
    array = SuffixArray.build(answers)
    following = [b for answer in answers for a, b in itertools.pairwise(answer)
                 if a == token]  # fmt: skip
    found = dict(array.following(array.find([token]), 1))
    assert found == {t: following.count(t) for t in set(following)}


@given(ANSWERS)
def test_suffixes_are_sorted_alike_natively_and_by_numpy(answers: list[list[int]]) -> None:
    native = suffix_native.load()
    assert native is not None
    mine, theirs = SuffixArray.build(answers), SuffixArray.build(answers, native)
    assert list(mine.split()) == answers

    def suffix(start: int) -> list[int]:
        tokens = mine.tokens[start : start + SORTED_TOKENS].tolist()
        return tokens[: tokens.index(-1) + 1] if -1 in tokens else tokens

    wanted = sorted(suffix(i) for i in range(len(mine)))
    assert [suffix(i) for i in mine.order] == wanted
    assert [suffix(i) for i in theirs.order] == wanted


@given(
    st.lists(ANSWERS, min_size=1, max_size=3),
    st.lists(st.integers(0, 5), min_size=1, max_size=12),
    st.integers(1, 3),
    st.booleans(),
)
def test_native_drafts_are_those_of_python(
    parts: list[list[list[int]]], text: list[int], shortest: int, sampled: bool
) -> None:
    native = suffix_native.load()
    assert native is not None
    arrays = [SuffixArray.build(part) for part in parts]
    weights = [1.0, 2.0, 0.5][: len(arrays)]
    options = SuffixOptions(shortest=shortest, most_nodes=12, branches=3)
    noise = None
    if sampled:
        noise = torch.rand(7, 6, generator=torch.Generator().manual_seed(len(text)))
    wanted = draft(arrays, weights, text, options, 9, noise, 0.8)
    asked = context(text, 9, gumbel=noise, temperature=0.8)
    lookups = suffix_native.NativeLookups(native, options)
    (found,) = lookups.draft("suffix", [suffix_native.NativeParts(arrays, weights)], [asked])
    # Nodes of equal chance may come in either order.
    assert found.confidence == pytest.approx(wanted.chances, rel=1e-5)
    assert found.depths == wanted.depths


@given(st.lists(st.tuples(ANSWERS, st.lists(st.integers(0, 5), max_size=20)), max_size=12))
def test_lookups_of_one_call_are_those_of_one_call_each(
    asked: list[tuple[list[list[int]], list[int]]],
) -> None:
    native = suffix_native.load()
    assert native is not None
    lookups = suffix_native.NativeLookups(native, SuffixOptions())
    generator = torch.Generator().manual_seed(len(asked))
    parts, contexts = [], []
    for place, (answers, text) in enumerate(asked):
        parts.append(suffix_native.NativeParts([SuffixArray.build(answers)], [1.0]))
        noise = torch.rand(7, 6, generator=generator) if place % 2 else None
        contexts.append(context(text, 3 + place, gumbel=noise, temperature=0.8))
    each = [lookups.draft("suffix", [p], [c])[0] for p, c in zip(parts, contexts, strict=True)]
    assert list(lookups.draft("suffix", parts, contexts)) == each


@pytest.mark.parametrize("native", [True, False])
def test_the_draft_follows_an_earlier_answer_and_never_leaves_it(native: bool) -> None:
    tree = drafted(SuffixSpeculator([[7, 1, 2, 3, 4], [9, 1, 2, 5]], native=native), [8, 7, 1])
    assert tree.tokens == [2, 3, 4]
    assert tree.parents == [ROOT, 0, 1]
    assert set(tree.sources) == {"suffix"}


@pytest.mark.parametrize("native", [True, False])
def test_where_answers_parted_the_tree_branches_with_the_frequent_branch_first(
    native: bool,
) -> None:
    tree = drafted(SuffixSpeculator([[1, 2, 3], [1, 2, 3], [1, 2, 4]], native=native), [1, 2])
    assert [tree.tokens[i] for i in tree.children(ROOT)] == [3, 4]
    assert tree.confidence[0] > tree.confidence[1]


def test_a_sampled_request_drafts_the_branch_that_its_noise_favours() -> None:
    speculator = SuffixSpeculator([[1, 2, 3], [1, 2, 3], [1, 2, 4]])
    noise = torch.zeros(2, 6)
    noise[0, 4] = 5.0
    tree = drafted(speculator, [1, 2], gumbel=noise, temperature=0.8)
    assert tree.tokens[0] == 4
    assert tree.confidence[0] > 0.8


def test_a_draft_is_no_longer_than_the_answer_may_be() -> None:
    assert drafted(SuffixSpeculator([list(range(20))]), [0, 1, 2], max_depth=2).tokens == [3, 4]


def test_nothing_is_drafted_from_an_empty_store_or_unknown_words() -> None:
    assert not len(drafted(SuffixSpeculator(), [1, 2]))
    assert not len(drafted(SuffixSpeculator([[1, 2, 3]]), [8, 9]))


def test_what_is_learned_is_drafted_and_weighs_more_than_the_seed() -> None:
    speculator = SuffixSpeculator([[1, 2, 3], [1, 2, 3], [1, 2, 3]])
    speculator.learn([[1, 2, 4], [1, 2, 4]])
    assert drafted(speculator, [1, 2]).tokens[0] == 4
    assert speculator.sizes() == {"seed": 12, "history": 8}


class SlowMerge:
    """A merge of everybody's answers that goes on until it is told to end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.history = SuffixHistory(100)
        self.history.add([[1, 2, 3]], "")
        self._begun, self._go_on = threading.Event(), threading.Event()
        build = SuffixArray.build

        def slowly(answers: Iterable[Sequence[int]], *rest: Any) -> SuffixArray:
            answers = list(answers)
            if len(answers) > 1:
                self._begun.set()
                self._go_on.wait(240)
            return build(answers, *rest)

        monkeypatch.setattr(SuffixArray, "build", slowly)
        self._thread = threading.Thread(target=self.history.add, args=([[4, 5, 6]], ""))
        self._thread.start()
        assert self._begun.wait(240)

    def end(self) -> None:
        self._go_on.set()
        self._thread.join()

    @property
    def answers(self) -> list[list[int]]:
        return [answer for part in self.history.parts("").common for answer in part.split()]


def promptly(call: Callable[[], object]) -> bool:
    """Whether it returns while a merge goes on."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(60)
    return not thread.is_alive()


def test_nobody_waits_for_a_merge_to_read_or_to_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    merge = SlowMerge(monkeypatch)
    returned = [
        promptly(lambda: merge.history.parts("a new tenant")),
        promptly(lambda: merge.history.forget("a customer")),
        promptly(lambda: merge.history.tokens),
    ]
    before = merge.answers if all(returned) else []
    merge.end()
    assert returned == [True, True, True]
    assert before == [[1, 2, 3]]
    assert merge.answers == [[1, 2, 3], [4, 5, 6]]


def test_what_is_forgotten_during_a_merge_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    merge = SlowMerge(monkeypatch)
    assert promptly(lambda: merge.history.forget(""))
    merge.end()
    assert merge.answers == []
    merge.history.add([[7, 8]], "")
    assert merge.answers == [[7, 8]]


def test_a_salt_sees_its_own_and_the_common_history_and_no_others() -> None:
    speculator = SuffixSpeculator()
    speculator.learn([[1, 2, 3]])
    speculator.learn([[1, 2, 4]], salt="a")
    assert set(drafted(speculator, [1, 2], salt="a").tokens) == {3, 4}
    assert drafted(speculator, [1, 2], salt="b").tokens == [3]
    speculator.evict_salt("a")
    assert drafted(speculator, [1, 2], salt="a").tokens == [3]
    speculator.evict_salt("")
    assert not len(drafted(speculator, [1, 2], salt="a"))


def test_a_history_that_grew_answer_by_answer_is_one_that_was_given_at_once(
    library: ctypes.CDLL,
) -> None:
    answers = [[n % 5, n % 3, n % 7] for n in range(1, 60)]
    history = SuffixHistory(10_000)
    history.library = library
    for answer in answers:
        history.add([answer], "")
    parts = history.parts("").common
    assert [a for part in parts for a in part.split()] == answers
    assert len(parts) <= 8
    sizes = [len(part) for part in parts]
    assert all(a >= 2 * b for a, b in itertools.pairwise(sizes))


def test_the_oldest_answers_leave_when_the_room_is_full() -> None:
    history = SuffixHistory(40)
    for n in range(100):
        history.add([[n, n, n]], "")
    kept = [a[0] for part in history.parts("").common for a in part.split()]
    assert kept[-1] == 99
    assert kept == list(range(kept[0], 100))
    assert history.tokens <= 40


def test_the_salts_used_last_are_kept() -> None:
    history = SuffixHistory(100)
    history.add([[1]], "")
    for n in range(MOST_SALTS + 5):
        history.add([[n]], f"salt {n}")
    assert not history.parts("salt 0").own
    assert history.parts(f"salt {MOST_SALTS + 4}").own
    assert history.parts("").common


def test_learning_and_drafting_on_several_threads() -> None:
    speculator = SuffixSpeculator([[1, 2, 3]])
    failures: list[Exception] = []

    def learn(salt: str) -> None:
        try:
            for n in range(60):
                speculator.learn([[1, 2, 3], [n % 7, n % 5]], salt)
                assert drafted(speculator, [1, 2], salt=salt).tokens[0] == 3
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=learn, args=(salt,)) for salt in ("", "a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_seed_that_is_sorted_in_the_background_is_drafted_from_when_it_is_ready() -> None:
    speculator = SuffixSpeculator([[1, 2, 3]], in_background=True)
    speculator.compile()
    assert speculator.ready
    assert drafted(speculator, [1, 2]).tokens == [3]


def test_frequent_tokens_make_up_the_share_asked_for() -> None:
    answers = [[1] * 6 + [2] * 3, [3]]
    assert frequent_tokens(answers, 0.6) == [1]
    assert frequent_tokens(answers, 0.85) == [1, 2]
    assert frequent_tokens(answers, 1.0) == [1, 2, 3]
    assert frequent_tokens([], 0.9) == []


@pytest.mark.parametrize("doubts", [{"doubt": 0.0}, {"sampled_doubt": -1.0}])
def test_something_must_be_doubted(doubts: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        SuffixOptions(**doubts)  # type: ignore[arg-type]


@pytest.mark.parametrize("often", [(5, 3), (1, 2, 3, 4, 5)])
def test_matches_that_cannot_be_blended_are_refused(often: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rising counts"):
        SuffixOptions(often=often)


@pytest.mark.parametrize("native", [True, False])
def test_a_shorter_match_that_occurs_more_often_has_its_say(native: bool) -> None:
    answers = [[7, 1, 3], *[[n, 1, 4] for n in range(8, 12)]]
    alone = SuffixSpeculator(answers, native=native, options=SuffixOptions(often=()))
    assert drafted(alone, [7, 1]).tokens == [3]
    tree = drafted(SuffixSpeculator(answers, native=native), [7, 1])
    assert [tree.tokens[i] for i in tree.children(ROOT)] == [3, 4]
    # One occurrence of the longest match, the shorter one's five as one more, and the doubt.
    assert tree.confidence == pytest.approx([1.2 / 2.1, 0.8 / 2.1])


@pytest.mark.parametrize(("longest", "shortest"), [(0, 0), (4, 5), (SORTED_TOKENS, 1)])
def test_impossible_lengths_are_refused(longest: int, shortest: int) -> None:
    with pytest.raises(ValueError, match="must hold"):
        SuffixOptions(longest=longest, shortest=shortest)


def test_closing_waits_for_the_thread_that_sorts() -> None:
    speculator = SuffixSpeculator([list(range(1, 200))] * 200, in_background=True)
    speculator.close()
    assert speculator.ready
    assert "specchat-suffixes" not in [thread.name for thread in threading.enumerate()]
