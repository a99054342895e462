"""A company's profile and policies as whole sentences, so that each can be quoted as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from specchat.chat.company.profile import Company, Delivery, Policies

_Written = tuple[str, str, tuple[str, ...], str]  # name, title, sentences, further words


def english_facts(company: Company) -> Iterator[_Written]:
    """What profile and policies say, in English."""
    yield (
        "about",
        f"About {company.name}",
        _said(
            _ended(company.description),
            company.store_location and f"We have {company.store_location}.",
        ),
        "who are you company shop store stores branches location",
    )
    reach = [
        company.support_phone and f"call customer support at {company.support_phone}",
        company.support_email and f"write to {company.support_email}",
    ]
    contact = _said(
        any(reach) and f"You can {' or '.join(filter(None, reach))}.",
        company.support_hours
        and f"Our support hours are {company.support_hours}.".replace("..", "."),
        company.website_url and f"Our website is {company.website_url}.",
    )
    if contact:
        yield (
            "contact",
            "How to contact customer support",
            contact,
            "phone telephone number email mail call reach opening hours open person agent human",
        )
    account = _said(
        company.login_url and f"You can sign in at {company.login_url}.",
        company.portal and f"Your orders, addresses and settings are in your {company.portal}.",
        company.account_types
        and f"We offer these account types: {_listed(company.account_types, 'and')}.",
    )
    if account:
        yield (
            "account",
            "Signing in and account types",
            account,
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
    refunds = _said(
        policies.refund_days and f"A refund takes {policies.refund_days} business days.",
        policies.refund_method and f"The money is {policies.refund_method}.",
    )
    if refunds:
        yield (
            "refunds",
            "When and how refunds are paid",
            refunds,
            "refund money back reimbursement",
        )
    cancellation = _said(
        policies.cancellation and _ended(policies.cancellation),
        policies.cancellation_fee and f"Cancellation fee: {_ended(policies.cancellation_fee)}",
    )
    if cancellation:
        yield (
            "cancellation",
            "Cancelling an order and what it costs",
            cancellation,
            "cancel cancellation fee charge penalty",
        )
    if policies.payment_methods:
        yield (
            "payment",
            "Ways to pay",
            (f"You can pay by {_listed(policies.payment_methods, 'or')}.",),
            "pay payment method methods card credit debit",
        )


def german_facts(company: Company) -> Iterator[_Written]:
    """The same in German."""
    yield (
        "about",
        f"Über {company.name}",
        _said(
            _ended(company.description),
            company.store_location and f"Wir haben {company.store_location}.",
        ),
        "wer firma laden filiale filialen standort",
    )
    reach = [
        company.support_phone and f"unter {company.support_phone}",
        company.support_email and f"per E-Mail an {company.support_email}",
    ]
    contact = _said(
        any(reach) and f"Sie erreichen den Kundendienst {' oder '.join(filter(None, reach))}.",
        company.support_hours
        and f"Der Kundendienst ist erreichbar: {company.support_hours}.".replace("..", "."),
        company.website_url and f"Unsere Website ist {company.website_url}.",
    )
    if contact:
        yield (
            "contact",
            "So erreichen Sie den Kundendienst",
            contact,
            "telefon nummer mail anrufen kontakt öffnungszeiten mensch mitarbeiter",
        )
    account = _said(
        company.login_url and f"Sie melden sich unter {company.login_url} an.",
        company.portal
        and f"Bestellungen, Adressen und Einstellungen finden Sie im {company.portal}.",
        company.account_types
        and f"Es gibt diese Kontoarten: {_listed(company.account_types, 'und')}.",
    )
    if account:
        yield (
            "account",
            "Anmelden und Kontoarten",
            account,
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
    refunds = _said(
        policies.refund_days and f"Eine Erstattung dauert {policies.refund_days} Werktage.",
        policies.refund_method and f"Das Geld geht {policies.refund_method}.",
    )
    if refunds:
        yield (
            "refunds",
            "Wann und wie erstattet wird",
            refunds,
            "erstattung rückzahlung geld zurück",
        )
    cancellation = _said(
        policies.cancellation and _ended(policies.cancellation),
        policies.cancellation_fee and f"Stornogebühr: {_ended(policies.cancellation_fee)}",
    )
    if cancellation:
        yield (
            "cancellation",
            "Eine Bestellung stornieren, und was es kostet",
            cancellation,
            "stornieren storno abbrechen gebühr",
        )
    if policies.payment_methods:
        yield (
            "payment",
            "So können Sie bezahlen",
            (f"Sie können bezahlen mit {_listed(policies.payment_methods, 'oder')}.",),
            "bezahlen zahlung zahlungsart karte kreditkarte rechnung",
        )


def _said(*sentences: object) -> tuple[str, ...]:
    """Those that there are."""
    return tuple(each for each in sentences if isinstance(each, str) and each)


def _listed(items: Sequence[str], word: str) -> str:
    """ "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


def _country(name: str) -> str:
    """With the article that English wants before some countries."""
    wants = re.match(r"United |Netherlands|Czech Republic|Philippines|Bahamas", name)
    return f"the {name}" if wants else name


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
