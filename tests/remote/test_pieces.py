"""A text of a server as tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from specchat.engine.request import UNTOLD
from specchat.remote.pieces import Pieces


@pytest.fixture(scope="module")
def pieces(tiny_model_dir: Path) -> Pieces:
    return Pieces(AutoTokenizer.from_pretrained(tiny_model_dir))


@given(text=st.text(max_size=40))
def test_no_character_is_lost_or_said_twice(pieces: Pieces, text: str) -> None:
    for ids in (None, [1, 2, 3]):
        assert "".join(token.text for token in pieces.tokens(text, ids)) == text or not text


def test_tokens_that_are_told_keep_their_ids(pieces: Pieces, tiny_model_dir: Path) -> None:
    text = "Where is my refund?"
    ids = AutoTokenizer.from_pretrained(tiny_model_dir).encode(text)
    tokens = pieces.tokens(text, ids)
    assert [token.token_id for token in tokens] == ids
    assert "".join(token.text for token in tokens) == text
    assert all(token.text for token in tokens)


def test_what_is_not_told_is_cut_but_not_numbered(pieces: Pieces) -> None:
    tokens = pieces.tokens("Where is my refund?", None)
    assert len(tokens) == pieces.count("Where is my refund?") > 1
    assert {token.token_id for token in tokens} == {UNTOLD}
