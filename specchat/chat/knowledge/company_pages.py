"""A company's own files as passages: every FAQ entry, and what profile and policies say.

Profile and policies are written as whole sentences, so that each can be quoted as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from specchat.chat.company.profile import Company, CompanyError, Delivery, Policies
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
    written = _german(company) if company.language == "de" else _english(company)
    for name, title, text, words in written:
        yield Passage(
            id=f"facts:{company.language}:{name}",
            source=COMPANY,
            title=title,
            text=" ".join(text),
            words=words,
            language=company.language,
        )


_Written = tuple[str, str, tuple[str, ...], str]  # name, title, sentences, further words


def _english(company: Company) -> Iterator[_Written]:
    yield (
        "about",
        f"About {company.name}",
        (_ended(company.description), f"We have {company.store_location}."),
        "who are you company shop store stores branches location",
    )
    yield (
        "contact",
        "How to contact customer support",
        (
            f"You can call customer support at {company.support_phone} or write to "
            f"{company.support_email}.",
            f"Our support hours are {company.support_hours}.".replace("..", "."),
            f"Our website is {company.website_url}.",
        ),
        "phone telephone number email mail call reach opening hours open person agent human",
    )
    yield (
        "account",
        "Signing in and account types",
        (
            f"You can sign in at {company.login_url}.",
            f"Your orders, addresses and settings are in your {company.portal}.",
            f"We offer these account types: {_listed(company.account_types, 'and')}.",
        ),
        "login log in profile portal membership plan tier",
    )
    if company.delivery is not None:
        yield from _english_delivery(company.delivery)
    yield from _english_policies(company.policies)


def _english_delivery(delivery: Delivery) -> Iterator[_Written]:
    yield (
        "delivery-countries",
        "Where we deliver to",
        (
            f"We deliver to {_listed([_country(each) for each in delivery.countries], 'and')}.",
            "We do not deliver to other countries.",
        ),
        "ship shipping country countries abroad international overseas",
    )
    yield (
        "delivery-times",
        "How long delivery takes",
        (
            f"Standard delivery takes {delivery.standard_days} business days.",
            f"Express delivery takes {delivery.express_days} business days.",
        ),
        "ship shipping time days arrive long fast speed",
    )
    yield (
        "delivery-fees",
        "What delivery costs",
        (
            f"Standard delivery costs {delivery.standard_fee} and is free from "
            f"{delivery.free_from}.",
            f"Express delivery costs {delivery.express_fee}.",
        ),
        "ship shipping postage fee price charge free cost",
    )


def _english_policies(policies: Policies) -> Iterator[_Written]:
    if policies.return_days is not None:
        yield (
            "returns",
            "Sending things back",
            (f"You can return an order within {policies.return_days} days.",),
            "return returns send back exchange period deadline",
        )
    refunds = (
        f"A refund takes {policies.refund_days} business days." if policies.refund_days else "",
        f"The money is {policies.refund_method}." if policies.refund_method else "",
    )
    if any(refunds):
        yield (
            "refunds",
            "When and how refunds are paid",
            tuple(filter(None, refunds)),
            "refund money back reimbursement",
        )
    cancellation = (
        _ended(policies.cancellation) if policies.cancellation else "",
        f"Cancellation fee: {_ended(policies.cancellation_fee)}"
        if policies.cancellation_fee
        else "",
    )
    if any(cancellation):
        yield (
            "cancellation",
            "Cancelling an order and what it costs",
            tuple(filter(None, cancellation)),
            "cancel cancellation fee charge penalty",
        )
    if policies.payment_methods:
        yield (
            "payment",
            "Ways to pay",
            (f"You can pay by {_listed(policies.payment_methods, 'or')}.",),
            "pay payment method methods card credit debit",
        )


def _german(company: Company) -> Iterator[_Written]:
    yield (
        "about",
        f"Über {company.name}",
        (_ended(company.description), f"Wir haben {company.store_location}."),
        "wer firma laden filiale filialen standort",
    )
    yield (
        "contact",
        "So erreichen Sie den Kundendienst",
        (
            f"Sie erreichen den Kundendienst unter {company.support_phone} oder per E-Mail an "
            f"{company.support_email}.",
            f"Der Kundendienst ist erreichbar: {company.support_hours}.".replace("..", "."),
            f"Unsere Website ist {company.website_url}.",
        ),
        "telefon nummer mail anrufen kontakt öffnungszeiten mensch mitarbeiter",
    )
    yield (
        "account",
        "Anmelden und Kontoarten",
        (
            f"Sie melden sich unter {company.login_url} an.",
            f"Bestellungen, Adressen und Einstellungen finden Sie im {company.portal}.",
            f"Es gibt diese Kontoarten: {_listed(company.account_types, 'und')}.",
        ),
        "login einloggen konto profil mitgliedschaft tarif",
    )
    if company.delivery is not None:
        yield from _german_delivery(company.delivery)
    yield from _german_policies(company.policies)


def _german_delivery(delivery: Delivery) -> Iterator[_Written]:
    yield (
        "delivery-countries",
        "Wohin wir liefern",
        (
            f"Wir liefern in diese Länder: {_listed(delivery.countries, 'und')}.",
            "In andere Länder liefern wir nicht.",
        ),
        "versand land länder ausland international",
    )
    yield (
        "delivery-times",
        "Wie lange die Lieferung dauert",
        (
            f"Die Standardlieferung dauert {delivery.standard_days} Werktage.",
            f"Die Expresslieferung dauert {delivery.express_days} Werktage.",
        ),
        "versand lieferzeit tage ankunft schnell",
    )
    yield (
        "delivery-fees",
        "Was die Lieferung kostet",
        (
            f"Die Standardlieferung kostet {delivery.standard_fee} und ist ab "
            f"{delivery.free_from} kostenlos.",
            f"Die Expresslieferung kostet {delivery.express_fee}.",
        ),
        "versandkosten porto gebühr preis kostenlos",
    )


def _german_policies(policies: Policies) -> Iterator[_Written]:
    if policies.return_days is not None:
        yield (
            "returns",
            "Etwas zurückschicken",
            (f"Eine Bestellung können Sie binnen {policies.return_days} Tagen zurückgeben.",),
            "rückgabe retoure zurücksenden umtausch frist",
        )
    refunds = (
        f"Eine Erstattung dauert {policies.refund_days} Werktage." if policies.refund_days else "",
        f"Das Geld geht {policies.refund_method}." if policies.refund_method else "",
    )
    if any(refunds):
        yield (
            "refunds",
            "Wann und wie erstattet wird",
            tuple(filter(None, refunds)),
            "erstattung rückzahlung geld zurück",
        )
    cancellation = (
        _ended(policies.cancellation) if policies.cancellation else "",
        f"Stornogebühr: {_ended(policies.cancellation_fee)}" if policies.cancellation_fee else "",
    )
    if any(cancellation):
        yield (
            "cancellation",
            "Eine Bestellung stornieren, und was es kostet",
            tuple(filter(None, cancellation)),
            "stornieren storno abbrechen gebühr",
        )
    if policies.payment_methods:
        yield (
            "payment",
            "So können Sie bezahlen",
            (f"Sie können bezahlen mit {_listed(policies.payment_methods, 'oder')}.",),
            "bezahlen zahlung zahlungsart karte kreditkarte rechnung",
        )


def _listed(items: Sequence[str], word: str) -> str:
    """ "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


def _country(name: str) -> str:
    """With the article that English wants before some countries."""
    wants = re.match(r"United |Netherlands|Czech Republic|Philippines|Bahamas", name)
    return f"the {name}" if wants else name


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
