"""Bank accounts: IBANs by their check digits, and numbers that are called an account."""

from __future__ import annotations

import re
from collections.abc import Iterable

from specchat.chat.redaction.spans import Span

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ -]?\d{2}(?:[ -]?[A-Za-z0-9]){11,30}", re.ASCII)
_IBAN_NAMED = re.compile(
    r"\biban\b\W{0,3}(?:is|number|no\.?|:|\s)*\W?"
    r"([A-Za-z]{2}[ -]?\d{2}(?:[ -]?[A-Za-z0-9]){8,30})",
    re.IGNORECASE,
)


def ibans(text: str) -> Iterable[Span]:
    """IBANs that are right, and whatever is called one."""
    for match in _IBAN.finditer(text):
        end = _valid_iban_end(match[0])
        if end:
            yield Span(match.start(), match.start() + end, "iban")
    for match in _IBAN_NAMED.finditer(text):  # called an IBAN: it goes, right or mistyped
        run = re.match(r"\S+(?:[ -](?=\S*\d)\S+)*", match[1])
        yield Span(match.start(1), match.start(1) + (run.end() if run else 0), "iban")


def _valid_iban_end(candidate: str) -> int:
    """Length of the start of `candidate` that is an IBAN of its country, or 0 (ISO 13616)."""
    places = [index for index, character in enumerate(candidate) if character.isalnum()]
    length = _IBAN_LENGTHS.get(candidate[:2].upper(), 0)
    if not length or len(places) < length:
        return 0
    account = "".join(candidate[place] for place in places[:length])
    digits = "".join(str(int(character, 36)) for character in account[4:] + account[:4])
    return places[length - 1] + 1 if int(digits) % 97 == 1 else 0


_LENGTHS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20
EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30
KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24
PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29
VA22 VG24 XK20
"""
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _LENGTHS.split()}
_ACCOUNT_NAMED = re.compile(
    r"\b(?:bank |giro)?(?:account|acct|a/c|konto)[ -]?(?:number|num|numbr|no|nr|nummer)\b\.?"
    r"\s*(?:(?:is|iz|ist|was|:|=)\s*)?(\d(?:[ -]?\d){7,17})(?![\w-])",
    re.IGNORECASE,
)


def named_accounts(text: str) -> Iterable[Span]:
    """Numbers that are called an account."""
    for match in _ACCOUNT_NAMED.finditer(text):
        yield Span(*match.span(1), "iban")
