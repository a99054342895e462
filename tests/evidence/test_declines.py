"""What counts as saying that one does not know."""

from __future__ import annotations

import pytest

from specchat.evidence.declines import declines


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, I don't know that.",
        "That I do not know.",
        "I cannot answer this question.",
        "I don't have any information on that, sorry.",
        "Sorry, but I do not have that information.",
        "I do not have specific information on a minimum limit.",
        "I’m not sure about that.",
        "I could not find anything about it.",
        "This is not mentioned in the pages.",
        "I am unable to answer that.",
    ],
)
def test_declining_answers(answer: str) -> None:
    assert declines(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Send it back within 14 days.",
        "Unfortunately, no. We do not deliver on Sundays.",
        "I'm afraid not. Opened tins stay with you.",
        "Is there anything you do not like? Tell us.",
        "I can't do that. I'm happy to answer questions about Leaf.",
        "There is no order 4999 in the shop's records.",
    ],
)
def test_other_answers(answer: str) -> None:
    assert not declines(answer)
