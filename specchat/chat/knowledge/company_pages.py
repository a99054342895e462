"""A company's own files as passages: every FAQ entry, and what profile and policies say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from specchat.chat.company.profile import Company, CompanyError
from specchat.chat.knowledge.company_facts import english_facts, german_facts
from specchat.chat.knowledge.documents import DocumentError, document_files, read_document
from specchat.chat.knowledge.passage import COMPANY, Passage


def company_passages(company: Company) -> tuple[Passage, ...]:
    """FAQ, help pages, profile and policies, in the company's language, and in German where it has
    both. Raises CompanyError for a page that cannot be read."""
    own = (*_faq(company), *_pages(company), *_facts(company))
    return own if company.german is None else (*own, *company_passages(company.german))


def _faq(company: Company) -> Iterator[Passage]:
    for entry in company.faq:
        yield Passage(
            id=f"faq:{company.language}:{entry.id}",
            source=COMPANY,
            title=entry.question,
            text=entry.answer,
            words=" ".join(entry.tags),
            language=company.language,
        )


def _pages(company: Company) -> Iterator[Passage]:
    if company.pages is None:
        return
    try:
        for name, file in document_files(company.pages):
            for passage in read_document(file, name):
                own = f"page:{company.language}:{passage.id}"
                yield replace(passage, id=own, source=COMPANY, language=company.language)
    except DocumentError as error:
        raise CompanyError(str(error)) from None


def _facts(company: Company) -> Iterator[Passage]:
    written = german_facts(company) if company.language == "de" else english_facts(company)
    for name, title, text, words in written:
        yield Passage(
            id=f"facts:{company.language}:{name}",
            source=COMPANY,
            title=title,
            text=" ".join(text),
            words=words,
            language=company.language,
        )
