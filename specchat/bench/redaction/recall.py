"""How much personal data redaction finds and how often it is wrong, on made-up messages.

Every message is put together from a template and made-up values; what is personal in it is known.
Half of the names are none of `given_names`, phones are of twelve countries in national and
international spelling, and as many values look personal but are not: order, invoice and tracking
numbers, dates, amounts, product names, the shop's own contacts.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import phonenumbers

from specchat.bench.redaction import hard_messages as hard
from specchat.chat.redaction.redact import NOUNS, Span, find

Values = Mapping[str, Callable[[random.Random], str]]
"""What a template may hold, and how it is made up."""

KEEP = ("+1 503-555-0142", "help@fernhollow.example")
"""The shop's own contacts in the messages."""


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of personal data in a message."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message with what is personal in it."""

    text: str
    items: tuple[Item, ...]


@dataclass(slots=True)
class Score:
    """Counts over a set. Recall counts items of which nothing is left to read."""

    messages: int = 0
    items: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)  # what redaction took out
    right: Counter[str] = field(default_factory=Counter)  # of these: touched personal data
    missed: list[str] = field(default_factory=list)  # "kind: value" of items still readable
    wrong: list[str] = field(default_factory=list)  # texts taken out without need

    def recall(self, kind: str | None = None) -> float:
        """Hidden items / items."""
        return _share(self.hidden, self.items, kind)

    def precision(self, kind: str | None = None) -> float:
        """Right marks / marks."""
        return _share(self.right, self.marks, kind)


def _share(part: Mapping[str, int], whole: Mapping[str, int], kind: str | None) -> float:
    kinds = list(whole) if kind is None else [kind]
    total = sum(whole.get(name, 0) for name in kinds)
    return sum(part.get(name, 0) for name in kinds) / total if total else float("nan")


def score(messages: list[Labelled]) -> Score:
    """Redact every message and compare."""
    result = Score(messages=len(messages))
    for message in messages:
        spans = find(message.text, keep=KEEP)
        for item in message.items:
            result.items[item.kind] += 1
            if _covered(message.text, item, spans):
                result.hidden[item.kind] += 1
            else:
                result.missed.append(f"{item.kind}: {message.text[item.start : item.end]}")
        for span in spans:
            result.marks[span.kind] += 1
            if any(span.start < item.end and item.start < span.end for item in message.items):
                result.right[span.kind] += 1
            else:
                result.wrong.append(f"{span.kind}: {message.text[span.start : span.end]}")
    return result


def _covered(text: str, item: Item, spans: list[Span]) -> bool:
    return all(
        any(span.start <= place < span.end for span in spans)
        for place in range(item.start, item.end)
        if text[place].isalnum()
    )


# -- the messages ------------------------------------------------------------------------------


Templates = Literal["known", "later", "hard"]


def messages(count: int, seed: int = 7, *, of: Templates = "known") -> list[Labelled]:
    """`count` messages, the same for the same seed.

    The patterns of redaction were written with the `known` templates in view. The `later` ones came
    afterwards, and the patterns were mended since; the `hard` ones came after that, so they say
    most about what customers will write.
    """
    dice = random.Random(seed)
    templates = {"known": _TEMPLATES, "later": _LATER, "hard": hard.TEMPLATES}[of]
    values = _HARD_VALUES if of == "hard" else _VALUES
    return [_message(dice, dice.choice(templates), values) for _ in range(count)]


def _message(dice: random.Random, template: str, values: Values) -> Labelled:
    text, items = "", []
    for index, piece in enumerate(template.replace("}", "{").split("{")):
        value = values[piece](dice) if index % 2 else piece
        if index % 2 and piece in _KINDS:
            items.append(Item(len(text), len(text) + len(value), _KINDS[piece]))
        text += value
    return Labelled(text, tuple(items))


_TEMPLATES = (
    "my card {card} was charged twice for order {order}",
    "Please refund {amount} to {card}, it is a {brand}.",
    "I paid with {card} on {date} and nothing happened",
    "can you take the money from {iban} instead?",
    "Refund to my account: {iban}. Thanks, {name}",
    "IBAN {iban}, invoice {invoice}",
    "you can reach me at {email} or {phone}",
    "I changed my e-mail to {email}, please update it",
    "{email} is not receiving the newsletter",
    "Call me on {phone} after 6 p.m. about order {order}.",
    "my number is {phone}, not the one you have",
    "phone: {phone}",
    "The courier should ring {phone} when he arrives",
    "My name is {name} and order {order} has not arrived.",
    "Hello, this is {name}. Where is my {product}?",
    "I'm {name}, I ordered the {product} on {date}",
    "the parcel for {name} went to the wrong house",
    "Please send it to {name}, {address}.",
    "I moved. My new address is {address}",
    "deliver order {order} to {address} please",
    "it was left at {address} but I live elsewhere",
    "My address is {address} and my phone is {phone}.",
    "Kind regards,\n{name}",
    "Invoice {invoice} should be in the name of {name}",
    "My husband {name} signed for it on {date}.",
    "Mrs {name} from your team told me to write again",
    # nothing personal
    "Where is order {order}? Tracking says {tracking}.",
    "I bought the {product} for {amount} on {date}, order #{order}",
    "invoice {invoice} of {date} shows {amount} instead of {amount}",
    "Do you have the {product} in stock? I need {count} of them by {date}.",
    "How long does delivery to {place} take? It has been {count} days.",
    "I called {shop_phone} and wrote to {shop_email}, nobody answered",
    "my {brand} was declined, how do I pay {amount}?",
    "purchase {order} and purchase {order} should come together in {place}",
    "Is the {product} {count} cm wide? The page says {count} x {count} cm.",
    "The tracking number {tracking} has not moved since {date}",
    "Can I switch from Free to Premium? It is order number {order}.",
    "Please cancel order {order}, I want the {product} instead.",
)

_LATER = (
    "I think somebody else used {card} in your shop on {date}",
    "the last charge on {card} looks wrong, it says {amount}",
    "transfer it to {iban} as soon as you can",
    "Could you resend the invoice {invoice} to {email}? My old one bounced.",
    "text {phone} when the driver is near",
    "new contact details: {phone}, {email}",
    "{name} here, order {order} never came",
    "I spoke to {name} last week and she promised a refund",
    "ask for {name} at the front desk",
    "The label says {name} but it should say {name}",
    "we live at {address} now",
    "Pick it up from {address} tomorrow",
    "change the shipping address to {address}",
    "the driver drove past {address}",
    "{name}\n{address}\n{phone}",
    # nothing personal
    "order {order}: {count} pieces of {product}, {amount} in total",
    "Is there a shop in {place}? I would come on {date}.",
    "the code {tracking} does not work on the carrier's page",
    "why is {product} {amount} here and {amount} elsewhere",
    "I ordered {count} {product} on {date} and got {count}",
)


def _luhn(digits: str) -> str:
    total = sum(int(d) for d in digits[-2::-2])
    total += sum(int(d) * 2 - 9 * (int(d) > 4) for d in digits[-1::-2])
    return digits + str(-total % 10)


def _digits(dice: random.Random, count: int) -> str:
    return "".join(dice.choices("0123456789", k=count))


def _card(dice: random.Random) -> str:
    prefix, length = dice.choice(
        (("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16),
         ("3530", 16), ("36", 14), ("6304", 19), ("4", 13))
    )  # fmt: skip
    digits = _luhn(prefix + _digits(dice, length - 1 - len(prefix)))
    gap = dice.choice(("", " ", "-", " ", "."))
    return gap.join(digits[i : i + 4] for i in range(0, length, 4))


_IBANS = {
    "DE": 18, "FR": 23, "NL": 14, "GB": 18, "ES": 20, "IT": 23, "AT": 16, "CH": 17, "TR": 22,
    "PL": 24, "BE": 12, "SE": 20, "NO": 11, "PT": 21,
}  # fmt: skip
"""Country to the length of the account part, all written in digits but for the bank's letters."""


def _iban(dice: random.Random) -> str:
    country = dice.choice(list(_IBANS))
    letters = {"NL": 4, "GB": 4}.get(country, 0)
    account = "".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=letters))
    account += _digits(dice, _IBANS[country] - letters)
    spelled = "".join(str(int(c, 36)) for c in account + country + "00")
    whole = f"{country}{98 - int(spelled) % 97:02d}{account}"
    if dice.random() < 0.5:
        whole = " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))
    return whole.lower() if dice.random() < 0.2 else whole


_REGIONS = ("US", "CA", "GB", "DE", "FR", "NL", "ES", "IT", "TR", "IN", "AU", "CH")


def _phone(dice: random.Random) -> str:
    """A number as people of its country write it; made from the library's example number."""
    region = dice.choice(_REGIONS)
    kind = dice.choice(
        (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    )
    number: Any = phonenumbers.example_number_for_type(region, kind)
    national = str(number.national_number)
    for _ in range(20):
        changed = national[:-5] + _digits(dice, 5)
        made = phonenumbers.parse(f"+{number.country_code}{changed}")
        if phonenumbers.is_valid_number(made):
            number = made
            break
    form = dice.choice(
        (
            phonenumbers.PhoneNumberFormat.INTERNATIONAL,
            phonenumbers.PhoneNumberFormat.NATIONAL,
            phonenumbers.PhoneNumberFormat.E164,
        )
    )
    return str(phonenumbers.format_number(number, form))


_COMMON = (
    "Maria", "John", "Anna", "David", "Sophie", "Mehmet", "Priya", "Lukas", "Chloe", "Omar",
    "Elena", "Thomas", "Fatima", "Carlos", "Emily", "Hans",
)  # fmt: skip
_RARE = (
    "Thandiwe", "Oluwaseun", "Nguyen", "Ximena", "Bjarne", "Saoirse", "Anneliese", "Tendai",
    "Rukmini", "Zdenka", "Caoimhe", "Ignatius", "Wilhelmina", "Aurelio", "Nkechi", "Tove",
)  # fmt: skip
_FAMILY = (
    "Lopez", "Miller", "O'Brien", "van der Berg", "Yilmaz", "Schmidt-Krause", "Okafor", "Nakamura",
    "Kowalska", "Dubois", "Andersen", "Patel", "Rossi", "Novak", "McAllister", "Garcia Ruiz",
)  # fmt: skip


def _name(dice: random.Random) -> str:
    given = dice.choice(_COMMON if dice.random() < 0.5 else _RARE)
    return given if dice.random() < 0.2 else f"{given} {dice.choice(_FAMILY)}"


_HOSTS = ("gmail.com", "web.example", "mail.example.co.uk", "posta.com.tr", "t-online.de")


def _email(dice: random.Random) -> str:
    user = dice.choice(_COMMON + _RARE).lower() + dice.choice((".", "_", "", "+shop."))
    user += dice.choice(_FAMILY).split()[-1].lower().replace("'", "")
    user += dice.choice(("", "84", "_x"))
    host = dice.choice(_HOSTS)
    plain = f"{user}@{host}"
    return dice.choice((plain, plain, plain.upper(), f"{user} (at) {host}"))


def _address(dice: random.Random, patterns: tuple[str, ...] = ()) -> str:
    """A pattern with its letters filled: N a house number, Z five digits, the rest as it is."""
    pattern = dice.choice(patterns or _ADDRESSES)
    filled = re.sub(r"\bN\b", lambda _: str(dice.randint(1, 250)), pattern)
    return re.sub(r"\bZ\b", lambda _: _digits(dice, 5), filled)


_ADDRESSES = (
    "N Oak Street, Springfield, IL Z",
    "N N Washington Ave, Portland, OR Z",
    "N Sunset Blvd, Springfield, IL Z",
    "N Maple Dr",
    "N elm street",
    "N church road",
    "Flat N, N Baker Street, London NW1 6XE",
    "N Kings Road, London SW3 5TX",
    "Hauptstraße N, 10115 Berlin",
    "Lindenweg N, 80331 München",
    "Goethestr. N, 20095 Hamburg",
    "N rue de la Paix, 75002 Paris",
    "N rue des Lilas, 69001 Lyon",
    "Prinsengracht N, 1016 GZ Amsterdam",
    "Kerkstraat N, 1016 GZ Amsterdam",
    "Calle Mayor N, 28013 Madrid",
    "Calle de Alcalá N, 28013 Madrid",
    "Via Giuseppe Verdi N, 20121 Milano",
    "Bağdat Caddesi No: N, 34710 Istanbul",
    "P.O. Box N, Austin, TX Z",
)


def _order(dice: random.Random) -> str:
    return dice.choice((_digits(dice, 4), "407-" + _digits(dice, 7), _digits(dice, 8)))


def _invoice(dice: random.Random) -> str:
    return dice.choice(("#00" + _digits(dice, 3), "INV-2024-" + _digits(dice, 4), _digits(dice, 6)))


def _tracking(dice: random.Random) -> str:
    ups = "1Z" + _digits(dice, 3) + "AA" + _digits(dice, 11)
    return dice.choice((ups, "JD" + _digits(dice, 16), _digits(dice, 10)))


def _date(dice: random.Random) -> str:
    month = dice.choice(("January", "March", "May", "August", "December"))
    day = dice.randint(1, 28)
    return dice.choice((f"{day} {month}", f"2024-0{dice.randint(1, 9)}-{day:02d}", "last Monday"))


def _amount(dice: random.Random) -> str:
    whole = dice.randint(5, 900)
    return dice.choice((f"${whole}.90", f"{whole} euros", "$1,250.50"))


_PRODUCTS = ("Desk Lamp Aurel", "Garden Chair Lund", "iPhone 15 Pro", "Wool Blanket", "kettle")
_VALUES: Values = {
    "order": _order,
    "invoice": _invoice,
    "tracking": _tracking,
    "date": _date,
    "amount": _amount,
    "product": lambda dice: dice.choice(_PRODUCTS),
    "brand": lambda dice: dice.choice(("Visa", "Mastercard", "gift card", "credit card")),
    "count": lambda dice: str(dice.randint(1, 120)),
    "place": lambda dice: dice.choice(("Germany", "New York", "the UK", "Paris", "Millbrook")),
    "shop_phone": lambda dice: KEEP[0],
    "shop_email": lambda dice: KEEP[1],
    "card": _card,
    "iban": _iban,
    "email": _email,
    "phone": _phone,
    "name": _name,
    "address": _address,
}
_HARD_VALUES: Values = {
    **_VALUES,
    "name": hard.name,
    "address": lambda dice: _address(dice, hard.ADDRESSES),
    "brand": lambda dice: dice.choice(hard.BRANDS),
    "place": lambda dice: dice.choice(hard.PLACES),
    "passport": hard.passport,
    "birth": hard.birth,
}
_KINDS = {kind: kind for kind in NOUNS} | {"passport": "id"}
"""Values that are personal data, and the kind of it."""
