"""The page in German: the sentences of assets/language/de.json, and the words of the company.

The English text is the key. A sentence may have places, `{name}` or `{name:kind}`, which the German
takes up by their names; the kind says what stands there and what becomes of it:

    number  figures, units with them: written as Germans write them
    day     "Monday, 23 November": likewise
    text    a sentence of its own, translated too
    parts   several of them with "; " between, translated too
    word    one word; as it is
    sign    what stands before a figure, or nothing; as it is
    quote   whatever it holds, marks between sentences too; as it is
    (none)  a name, without " · " and "; "; as it is

The sentence with most fixed letters counts where several fit. What is not known as a whole is
translated by parts: at " · ", "; ", ". ", ": " and commas. What customers and the model say never
is. `python -m tests.ui.german.untranslated` finds sentences that are missing or no longer said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from specchat.chat.company.profile import Company

CATALOGUE = Path(__file__).resolve().parents[2] / "assets" / "language" / "de.json"


def german_texts(company: Company) -> dict[str, str]:
    """Every English text with its German: the page's own, and the company's."""
    groups = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    ours = {english: german for group in groups.values() for english, german in group.items()}
    return {**company_texts(company), **ours}


def company_texts(company: Company) -> dict[str, str]:
    """Topics, help pages, orders and the names of canned replies; {} without a German edition."""
    return {} if company.german is None else dict(_pairs(company, company.german))


def _pairs(ours: Company, german: Company) -> Iterator[tuple[str, str]]:
    yield from zip(ours.topics, german.topics, strict=True)
    for entry, said in zip(ours.faq, german.faq, strict=True):
        yield entry.question, said.question
        yield entry.answer, said.answer
    for order, named in zip(ours.orders, german.orders, strict=True):
        yield from zip(order.items, named.items, strict=True)
        yield ", ".join(order.items), ", ".join(named.items)
        yield order.total, named.total
    for reply, written in zip(ours.replies, german.replies, strict=True):
        yield reply.name, written.name
