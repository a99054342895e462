"""Personal data that nobody has, made by the library Faker in seven countries' ways of writing it.

The makers know nothing of what redaction looks for. What the library gives bare is spelled in the
ways people spell it: in groups, with gaps of every sort, on two lines.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from faker import Faker

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "nl_NL", "pl_PL")

Maker = Callable[[Any, random.Random], str]
"""Makes one value from a Faker of some country and from dice."""


def values(kind: str, count: int, seed: int) -> Iterator[str]:
    """`count` values of a kind of `MAKERS`, the countries in turn, the same for the same seed."""
    fakers = []
    for locale in LOCALES:
        fakers.append(Faker(locale))
        fakers[-1].seed_instance(f"{kind} {seed}")
    dice = random.Random(f"{kind} {seed}")
    for index in range(count):
        yield MAKERS[kind](fakers[index % len(fakers)], dice)


def _grouped(text: str, dice: random.Random, size: int = 4) -> str:
    """In groups with one sort of gap between them, a few of them over a line's end."""
    gap = dice.choice(("", "", " ", " ", "-", "\u00a0", "\u2009", "\u2011", ".", "\n"))
    return gap.join(text[start : start + size] for start in range(0, len(text), size))


def _card(fake: Any, dice: random.Random) -> str:
    return _grouped(fake.credit_card_number(), dice)


def _iban(fake: Any, dice: random.Random) -> str:
    whole = _grouped(fake.iban(), dice)
    return whole.lower() if dice.random() < 0.1 else whole


def _email(fake: Any, dice: random.Random) -> str:
    made = dice.choice((fake.email, fake.free_email, fake.company_email))()
    form = dice.random()
    if form < 0.05:
        return made.replace("@", " (at) ")
    if form < 0.1:
        return made.replace("@", "＠")
    return made.upper() if form < 0.15 else made


def _phone(fake: Any, dice: random.Random) -> str:
    made = fake.phone_number()
    if dice.random() < 0.1:
        made = made.replace(" ", "\u00a0").replace("-", "\u2011")
    return made


def _name(fake: Any, dice: random.Random) -> str:
    return fake.name() if dice.random() < 0.5 else f"{fake.first_name()} {fake.last_name()}"


def _given(fake: Any, dice: random.Random) -> str:
    return fake.first_name()


def _small_name(fake: Any, dice: random.Random) -> str:
    return f"{fake.first_name()} {fake.last_name()}".lower()


def _address(fake: Any, dice: random.Random) -> str:
    lines = [line.strip() for line in fake.address().split("\n")]
    return dice.choice(("\n", ", ", ", ")).join(lines)


def _street(fake: Any, dice: random.Random) -> str:
    return ", ".join(line.strip() for line in fake.street_address().split("\n"))


def _password(fake: Any, dice: random.Random) -> str:
    form = dice.random()
    if form < 0.4:
        return fake.password(length=dice.randint(8, 16))
    if form < 0.6:
        return fake.password(length=dice.randint(8, 14), special_chars=False)
    word = fake.word() if form < 0.8 else fake.first_name()
    ending = dice.choice(("", "!", "#", "?"))
    return f"{word}{dice.choice(('', '_', '.'))}{dice.randint(1, 2025)}{ending}"


def _code(fake: Any, dice: random.Random) -> str:
    made = fake.numerify(dice.choice(("######", "####", "########", "### ###", "###-###")))
    return dice.choice((made, made, made, fake.bothify("G-######"), fake.bothify("??####").upper()))


def _cvv(fake: Any, dice: random.Random) -> str:
    return fake.credit_card_security_code()


_HEX = "^" * 32
_KEYS = (
    "sk-live-" + "?" * 22, "sk_test_" + "?#" * 12, "ghp_" + "?#" * 18, "AKIA" + "@" * 16,
    "xoxb-" + "#" * 11 + "-" + "?" * 24, "AIza" + "?#" * 17 + "?", "glpat-" + "?" * 20, _HEX,
    "SG." + "?" * 22 + "." + "?#" * 21 + "?", "shpat_" + _HEX, "hf_" + "?" * 34,
)  # fmt: skip


def _key(fake: Any, dice: random.Random) -> str:
    form = dice.random()
    if form < 0.1:
        return f"{dice.choice(('token', 'API key', 'session id'))} {{{fake.uuid4()}}}"
    if form < 0.2:
        return "eyJ" + ".".join(fake.lexify("?" * size) for size in (33, 60, 43))
    pattern = dice.choice(_KEYS).replace("@", dice.choice("ABCDEFGH"))
    return fake.hexify(fake.bothify(pattern)) if "^" in pattern else fake.bothify(pattern)


def _link(fake: Any, dice: random.Random) -> str:
    """A link whose secret is in it; all of it may go, the secret has to."""
    secret = fake.lexify("?" * dice.randint(16, 40))
    name = dice.choice(("token", "access_token", "api_key", "key", "auth", "session", "sig"))
    host = fake.domain_name()
    return dice.choice(
        (
            f"https://{host}/reset?{name}={{{secret}}}",
            f"https://{host}/{fake.uri_path()}?id=7&{name}={{{secret}}}",
            f"https://{{{fake.user_name()}:{fake.password(special_chars=False)}}}@{host}/",
            f"{host}/login#{name}={{{secret}}}",
        )
    )


def _ip(fake: Any, dice: random.Random) -> str:
    return dice.choice((fake.ipv4_public, fake.ipv4_private, fake.ipv6))()


def _us_bank(fake: Any, dice: random.Random) -> str:
    account = fake.numerify("#" * dice.randint(8, 12))
    return f"routing {{{fake.aba()}}} account {{{account}}}"


def _uk_bank(fake: Any, dice: random.Random) -> str:
    sort = fake.numerify(dice.choice(("##-##-##", "## ## ##", "######")))
    between = dice.choice((" ", ", account ", " acc no ", ", account number "))
    return f"sort code {{{sort}}}{between}{{{fake.numerify('########')}}}"


def _bank(fake: Any, dice: random.Random) -> str:
    """Bank details with the words that always stand by them; what is in braces has to go."""
    form = dice.random()
    if form < 0.35:
        return _us_bank(fake, dice)
    if form < 0.7:
        return _uk_bank(fake, dice)
    return dice.choice(("BIC ", "SWIFT code ", "BIC: ", "swift/bic ")) + f"{{{fake.swift()}}}"


_PERSONAL_NUMBERS: Mapping[str, tuple[tuple[str, Callable[[Any], str]], ...]] = {
    "en_US": (("SSN", lambda fake: fake.ssn()), ("social security number", lambda f: f.ssn()),
              ("passport number", lambda fake: fake.passport_number()),
              ("ITIN", lambda fake: fake.itin())),
    "en_GB": (("NI number", lambda fake: fake.ssn()), ("National Insurance", lambda f: f.ssn()),
              ("passport no", lambda fake: fake.passport_number())),
    "de_DE": (("Rentenversicherungsnummer", lambda fake: fake.rvnr()),
              ("Reisepass", lambda fake: fake.passport_number()),
              ("USt-IdNr", lambda fake: fake.vat_id())),
    "fr_FR": (("numéro de sécurité sociale", lambda fake: fake.ssn()),
              ("passeport", lambda fake: fake.passport_number())),
    "es_ES": (("DNI", lambda fake: fake.nif()), ("NIE", lambda fake: fake.nie()),
              ("NIF", lambda fake: fake.nif())),
    "nl_NL": (("BSN", lambda fake: fake.ssn()), ("burgerservicenummer", lambda f: f.ssn())),
    "pl_PL": (("PESEL", lambda fake: fake.pesel()),
              ("dowód osobisty", lambda fake: fake.identity_card_number()),
              ("NIP", lambda fake: fake.nip())),
}  # fmt: skip


def _id(fake: Any, dice: random.Random) -> str:
    """A number of a paper with the paper's name; what is in braces has to go."""
    word, make = dice.choice(_PERSONAL_NUMBERS[fake.locales[0] if fake.locales else "en_US"])
    between = dice.choice((" ", ": ", " is ", " = ")) if fake.locales[0][:2] == "en" else " "
    return f"{word}{between}{{{make(fake)}}}"


_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d/%m/%y")


def _birth(fake: Any, dice: random.Random) -> str:
    return fake.date_of_birth(minimum_age=18).strftime(dice.choice(_DATES))


def _order(fake: Any, dice: random.Random) -> str:
    return fake.bothify(
        dice.choice(
            ("####", "######", "########", "##########", "###-#######-#######", "#-###-#####",
             "ORD-#####", "AB-####-####", "A?#######", "############", "00#######")
        )
    ).upper()  # fmt: skip


def _parcel(fake: Any, dice: random.Random) -> str:
    return fake.bothify(
        dice.choice(("1Z###AA###########", "JD##################", "RR#########DE", "JJD##########",
                     "00340434##############", "##########", "############", "9400############"))
    )  # fmt: skip


def _price(fake: Any, dice: random.Random) -> str:
    whole = f"{dice.randint(3, 12_000):,}"
    return dice.choice(
        (f"${whole}.99", f"{whole}.50 EUR", f"£{whole}", f"{dice.randint(2, 99)},90 €")
    )


def _day(fake: Any, dice: random.Random) -> str:
    made = fake.date_between("-2y", "+1y")
    return str(made.strftime(dice.choice((*_DATES, "%d %b", "%H:%M on %d.%m.", "%A, %d %B"))))


_PRODUCTS = (
    "HD####/##", "WH-####XM#", "RTX ####", "SKU ###-####-##", "EAN #############",
    "item ##########", "IMEI ###############", "article ########", "#.##.#", "version #.##.#.#",
    "v#.#.##", "model KX-####", "###x###x## cm", "## x #### mAh", "serial number ##########",
)  # fmt: skip


def _product(fake: Any, dice: random.Random) -> str:
    return str(fake.numerify(dice.choice(_PRODUCTS)))


MAKERS: Mapping[str, Maker] = {
    "card": _card, "iban": _iban, "email": _email, "phone": _phone, "password": _password,
    "code": _code, "cvv": _cvv, "key": _key, "link": _link, "ip": _ip, "bank": _bank, "id": _id,
    "birth": _birth, "address": _address, "street": _street, "name": _name, "given": _given,
    "small_name": _small_name,
    "order": _order, "parcel": _parcel, "price": _price, "day": _day, "product": _product,
}  # fmt: skip
"""What is made up. A part in braces is what has to go; without braces all of it."""

KEPT = ("order", "parcel", "price", "day", "product")
"""Of these, what a record is about: it has to stay."""
