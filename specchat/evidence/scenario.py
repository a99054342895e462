"""The five situations a care team knows best, and which one a question belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One situation: a question that is typical of it, and the words that tell it."""

    key: str
    label: str
    question: str
    words: tuple[str, ...]  # beginnings of words, lower case


SCENARIOS = (
    Scenario("refund", "Refund", "Where is my refund for order 4417?", ("refund", "money back")),
    Scenario(
        "delivery",
        "Delivery",
        "How long does delivery take and what does it cost?",
        ("deliver", "shipping", "shipment", "parcel", "arrive"),
    ),
    Scenario(
        "account",
        "Account",
        "I forgot the password of my account, how can I get in again?",
        ("account", "password", "log in", "login", "sign in"),
    ),
    Scenario(
        "invoice",
        "Invoice",
        "I cannot find my invoice, can you send it to me?",
        ("invoice", "bill", "receipt"),
    ),
    Scenario(
        "complaint",
        "Complaint",
        "I want to file a complaint about my last order",
        ("complain", "disappoint", "unacceptable", "terrible"),
    ),
)
_WORDS = tuple(
    (scenario.key, re.compile(r"\b(" + "|".join(map(re.escape, scenario.words)) + ")"))
    for scenario in SCENARIOS
)


def scenario_of(question: str) -> str:
    """The key of the first scenario whose words occur in the question, else `OTHER`."""
    said = question.lower()
    return next((key for key, words in _WORDS if words.search(said)), OTHER)
