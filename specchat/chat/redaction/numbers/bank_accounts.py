"""Bank accounts: IBANs by their check digits, numbers that are called an account, and the numbers
of banks that stand by them: sort codes, routing numbers, BICs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stdnum import iban

from specchat.chat.redaction.patterns import GAP
from specchat.chat.redaction.spans import Span

_IBAN = re.compile(
    rf"(?<![A-Za-z0-9])(?:[A-Z]{{2}}[ -]?|[a-z]{{2}}|[A-Z][a-z])\d{GAP}\d"
    rf"(?:{GAP}[A-Za-z0-9]){{11,30}}",
    re.ASCII,
)
_SHORTEST_IBAN = 15
_IBAN_NAMED = re.compile(
    r"\biban\b\W{0,3}(?:is|number|no\.?|nummer|ist|lautet|:|\s)*\W?"
    rf"([A-Za-z]{{2}}{GAP}\d{{2}}(?:{GAP}(?!\n)[A-Za-z0-9]){{8,30}})",
    re.IGNORECASE,
)
_LINK = r"\W{0,3}(?:(?:is|iz|was|ist|lautet|est|es|to|:|=|#)\W{0,2}){0,2}"
_NUMBER = r"(?:number|numbr|num|no|nr|nummer|numer|numéro|número|#)?\.?"
_ACCOUNT = re.compile(
    rf"\b(?:(?:bank |giro|checking |savings )?(?:account|acct|acc|a/c)[ -]?{_NUMBER}"
    rf"|(?:bank|giro)?konto(?:[ -]?{_NUMBER})|(?:numéro de )?compte(?: bancaire)?"
    rf"|(?:número de )?cuenta(?: bancaria)?|(?:bank)?rekening{_NUMBER}"
    rf"|(?:numer(?:em)? )?(?:rachunku|konta)){_LINK}"
    r"((?:\d[ -]?){5,17}\d)(?![\w-])",
    re.IGNORECASE,
)
_ACCOUNT_SURE = re.compile(
    r"number|num|no|nr|nummer|numer|konto|compte|cuenta|rekening|rachun", re.I
)
_BANK_WORD = re.compile(
    r"\b(?:bank|sort[ -]?code|routing|aba|rtn|bic|swift|transfer|iban|blz|wire|deposit|refund "
    r"(?:in)?to"
    r"|checking|savings|acc|acct|a/c)\b",
    re.IGNORECASE,
)
_ROUTING = re.compile(
    rf"\b(?:routing(?:[ -](?:transit[ -])?{_NUMBER})?|aba(?:[ -]{_NUMBER})?|rtn){_LINK}"
    r"(\d{9}|\d{4}[ -]?\d{4}[ -]?\d)(?![\w-])",
    re.IGNORECASE,
)
_SORT_CODE = re.compile(
    rf"\b(?:sort(?:[ -]?code)?|s/c){_LINK}(\d{{2}}[ -]?\d{{2}}[ -]?\d{{2}})(?![\d-])"
    r"(?:[ ,;/&]{0,3}(?:and )?(?:(?:account|acct|acc|a/c)[ .]?(?:number|no\.?|num)?[ .:]{0,3})?"
    r"(?:is )?(\d{7,8})(?![\w-]))?",
    re.IGNORECASE,
)
_SORT_AND_ACCOUNT = re.compile(r"(?<![\w-])(\d{2}-\d{2}-\d{2})[ ,/]{1,3}(\d{8})(?![\w-])")
_BANK_CODE = re.compile(rf"\b(?:blz|bankleitzahl){_LINK}(\d{{3}} ?\d{{3}} ?\d{{2}})(?![\w-])", re.I)
_BIC = re.compile(
    rf"\b(?:bic|swift)(?:[ /-]{{0,3}}(?:bic|swift|code|number)){{0,2}}{_LINK}"
    r"([A-Za-z]{4} ?[A-Za-z]{2} ?[A-Za-z0-9]{2}(?: ?[A-Za-z0-9]{3})?)(?![\w-])",
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
    account = "".join(candidate[place] for place in places)
    for length in range(len(places), _SHORTEST_IBAN - 1, -1):
        if iban.is_valid(account[:length], check_country=False):
            return places[length - 1] + 1
    return 0


def account_numbers(text: str) -> Iterable[Span]:
    """Numbers that are called an account (`iban`) or a bank's number (`bank`)."""
    for match in _ACCOUNT.finditer(text):
        digits = sum(map(str.isdigit, match[1]))
        called = _ACCOUNT_SURE.search(match[0], 0, match.start(1) - match.start())
        near = text[max(0, match.start() - 60) : match.start(1)]
        if (called and digits >= 8) or _BANK_WORD.search(near):
            yield Span(*match.span(1), "iban")
    for pattern in (_ROUTING, _BANK_CODE, _BIC):
        for match in pattern.finditer(text):
            if pattern is not _BIC or _is_bic(match[1]):
                yield Span(*match.span(1), "bank")
    for pattern in (_SORT_CODE, _SORT_AND_ACCOUNT):
        for match in pattern.finditer(text):
            yield Span(*match.span(1), "bank")
            if match[2]:
                yield Span(*match.span(2), "iban")


def _is_bic(text: str) -> bool:
    """True for what is written as a code: in capitals, or with a digit in it."""
    return text.isupper() or any(map(str.isdigit, text))
