"""An accepted run as one transaction: stop rules, caps and text do not depend on run lengths."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.engine.output.commit import Committed, OutputText
from specchat.engine.request import FinishReason, SamplingParams, Token

EOS = 0
PIECES = ["", "a", "b", "ab", "ba", "c", "abc", " "]  # token id -> text; 0 is EOS


def output(**params: object) -> OutputText:
    settings = SamplingParams(**{"max_tokens": 100, **params})  # type: ignore[arg-type]
    return OutputText(settings, frozenset([EOS]), PIECES.__getitem__)


def commit(out: OutputText, tokens: Sequence[int]) -> Committed:
    return out.commit(tokens, ["x"] * len(tokens))


def text(tokens: Sequence[Token]) -> str:
    return "".join(token.text for token in tokens)


def in_runs(
    tokens: Sequence[int], lengths: Sequence[int], **params: object
) -> tuple[list[Token], FinishReason | None, int]:
    """Commit `tokens` in runs of these lengths until the answer ends: what was emitted, the reason
    and the number of tokens kept."""
    out = output(**params)
    emitted: list[Token] = []
    kept = position = 0
    for length in [*lengths, *[1] * len(tokens)]:
        run = tokens[position : position + length]
        position += length
        if not run:
            break
        committed = commit(out, run)
        emitted += committed.emitted
        kept += committed.kept
        if committed.finish is not None:
            assert out.flush() == ()
            return emitted, committed.finish, kept
    return [*emitted, *out.flush()], None, kept


tokens_ = st.lists(st.integers(0, len(PIECES) - 1), max_size=25)
stops_ = st.lists(st.text("abc ", min_size=1, max_size=4), max_size=3).map(tuple)


@settings(max_examples=400)
@given(
    tokens_,
    st.lists(st.integers(1, 8), max_size=10),
    stops_,
    st.integers(1, 20),
    st.booleans(),
    st.lists(st.integers(1, 7), max_size=1).map(tuple),
)
def test_runs_of_any_length_give_what_single_tokens_give(
    tokens: list[int],
    lengths: list[int],
    stop: tuple[str, ...],
    max_tokens: int,
    ignore_eos: bool,
    stop_token_ids: tuple[int, ...],
) -> None:
    params = {
        "stop": stop,
        "max_tokens": max_tokens,
        "ignore_eos": ignore_eos,
        "stop_token_ids": stop_token_ids,
    }
    assert in_runs(tokens, lengths, **params) == in_runs(tokens, [], **params)


@settings(max_examples=300)
@given(tokens_.map(lambda ids: [i or 1 for i in ids]), stops_)
def test_the_text_ends_before_the_first_stop_string(
    tokens: list[int], stop: tuple[str, ...]
) -> None:
    emitted, finish, kept = in_runs(tokens, [], stop=stop)
    texts = [PIECES[token] for token in tokens]
    for count in range(1, len(tokens) + 1):  # the first token that completes a stop string
        so_far = "".join(texts[:count])
        found = [at for at in (so_far.find(s) for s in stop) if at >= 0]
        if found:
            assert (text(emitted), finish, kept) == (so_far[: min(found)], FinishReason.STOP, count)
            return
    assert (text(emitted), finish, kept) == ("".join(texts), None, len(tokens))


def test_what_may_begin_a_stop_string_is_held_back() -> None:
    out = output(stop=("abc",))
    assert text(commit(out, [5, 1, 2]).emitted) == "c"
    assert text(commit(out, [2]).emitted) == "abb"
    assert text(commit(out, [1]).emitted) == ""
    assert text(out.flush()) == "a"


def test_held_back_text_is_given_when_the_answer_ends_by_length() -> None:
    out = output(stop=("abc",), max_tokens=2)
    committed = commit(out, [1, 2, 5])
    assert (text(committed.emitted), committed.kept) == ("ab", 2)
    assert committed.finish is FinishReason.LENGTH


def test_held_back_text_is_given_when_the_answer_ends_by_eos() -> None:
    committed = commit(output(stop=("abc",)), [1, 2, EOS, 5])
    assert (text(committed.emitted), committed.kept) == ("ab", 3)
    assert committed.finish is FinishReason.STOP


def test_a_stop_string_inside_a_token_cuts_its_text() -> None:
    committed = commit(output(stop=("b",)), [5, 6, 1])
    assert [token.text for token in committed.emitted] == ["c", "a"]
    assert committed.kept == 2


def test_a_stop_string_across_runs_is_found() -> None:
    out = output(stop=("c c",))
    assert text(commit(out, [1, 5]).emitted) == "a"
    committed = commit(out, [7, 5])
    assert (text(committed.emitted), committed.finish) == ("", FinishReason.STOP)


def test_the_earliest_of_several_stop_strings_wins() -> None:
    committed = commit(output(stop=("c", "a")), [2, 6])
    assert text(committed.emitted) == "b"


def test_eos_within_a_run_is_kept_but_neither_shown_nor_counted() -> None:
    out = output()
    committed = commit(out, [1, 2, EOS, 3, 4])
    assert (committed.kept, [t.token_id for t in committed.emitted]) == (3, [1, 2])
    assert out.count == 2


def test_an_ignored_eos_is_a_token_like_others() -> None:
    out = output(ignore_eos=True)
    assert commit(out, [1, EOS, 2]).kept == 3
    assert out.count == 3


def test_a_stop_token_ends_the_answer_even_when_eos_is_ignored() -> None:
    committed = commit(output(ignore_eos=True, stop_token_ids=(3,)), [EOS, 3, 1])
    assert (committed.kept, committed.finish) == (2, FinishReason.STOP)


@pytest.mark.parametrize("cap", [1, 3, 5])
def test_the_cap_inside_a_run_ends_the_answer(cap: int) -> None:
    committed = commit(output(max_tokens=cap), [1] * 6)
    assert (committed.kept, committed.finish) == (cap, FinishReason.LENGTH)


def test_eos_at_the_cap_is_a_stop_and_not_a_length() -> None:
    out = output(max_tokens=2)
    assert commit(out, [1]).finish is None
    assert commit(out, [EOS]).finish is FinishReason.STOP


def test_tokens_keep_their_sources() -> None:
    committed = output().commit([1, 2], ["ngram", "target"])
    assert [token.source for token in committed.emitted] == ["ngram", "target"]
