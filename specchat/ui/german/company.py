"""The German of what the page shows of the shop; keys are the shop's English texts."""

from __future__ import annotations

from collections.abc import Iterator

from specchat.chat.company.profile import Company


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
