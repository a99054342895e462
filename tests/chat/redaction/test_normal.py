"""One spelling for what patterns look for, and the way back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specchat.chat.redaction.normal import normalised
from specchat.chat.redaction.redact import find


def test_every_form_has_one_spelling() -> None:
    assert normalised("Ａ１\u00a0٢\u2013\u200bﬁ’e\u0301").text == "A1 2-fi'é"


def test_a_place_leads_back_to_how_it_was_written() -> None:
    text = "to a\u200bnna＠example.com now"
    span = find(text)[0]
    assert text[span.start : span.end] == "a\u200bnna＠example.com"


@given(st.text(max_size=200))
def test_places_rise_and_stay_inside(text: str) -> None:
    normal = normalised(text)
    assert len(normal.text) == len(normal.starts) == len(normal.ends)
    assert list(normal.starts) == sorted(normal.starts)
    assert all(
        0 <= start < end <= len(text) for start, end in zip(normal.starts, normal.ends, strict=True)
    )
