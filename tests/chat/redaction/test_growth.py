"""The time of redaction grows with the length of a text and no faster, whatever the text is."""

from __future__ import annotations

import time

import pytest

from specchat.chat.redaction.redact import redact

SHORT, TIMES = 2_000, 3
LINEAR, QUADRATIC = TIMES, TIMES**2
"""By what the time may grow for a text that is so many times as long."""


def _growth(text: str) -> float:
    """How many times as long the longer text takes; the least of several tries, which noise can
    only make longer."""
    longer = text * TIMES
    return min(_seconds(longer) for _ in range(3)) / min(_seconds(text) for _ in range(3))


def _seconds(text: str) -> float:
    started = time.thread_time()
    redact(text)
    return time.thread_time() - started


UNITS = (
    "1 ", "a@a.", "+1(", "card ", "DE12 ", "4111-", "call me 1", "order 1", "orders 12345678, ",
    "order i got me no. ", "#+1 2345678 ", "Aa-", "A'", "A.-", "a.", "a'", "ID card ", "\n", "Aa ",
    "1 a ", "my name is A ", "Street ", "1 Ab ", "12 rue de ", "de la ", "Flat 1 ", "Av. A ",
    "Mr. A. ", "Al and ", "Bo's ", "J. ", "maria ", "B-1, A ", "A 1, 1 ", "Qu Qu, ", "Cad. ",
    "address is 1 ", "for Bo de ", "N W ", "Anna de ", "my password ", "pw: ", "code is ", "key: ",
    "eyJa.", "sk-live-", "1.1.1.1 ", "1:", "::", "://a:", "?token=", "BIC ", "12-34-56 ",
    "Unit 1\n",
    "A\n", "A, ", "Aa Bb\n", "10115 ", "1/1/", "0 1", "7 St. ", "straße ", "1 Aa Aa St, ",
    "text says ", "the code from ", "passport ", "\t", "-", ".", "A", "1", "é", "\u200b", "e\u0301",
    "１", "my name is a ",
)  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_a_repeated_piece_takes_time_in_proportion(unit: str) -> None:
    assert _growth(unit * (SHORT // len(unit))) < (LINEAR + QUADRATIC) / 2


@pytest.mark.parametrize("gap", [" ", "\n"])
@pytest.mark.parametrize(
    "start", ["account number", "passport", "house", "ZIP", "Ada Mah. No", "thanks Maria", "."]
)
def test_a_gap_takes_time_in_proportion(start: str, gap: str) -> None:
    assert _growth(start + gap * SHORT + "!x") < (LINEAR + QUADRATIC) / 2


def test_what_stands_before_a_number_is_read_to_an_end() -> None:
    assert redact("order" + ": " * 36 + "x 4111 1111 1111 1111").counts == {"card": 1}
