"""A list that lacks what was asked for: said, not left to the reader.

"Do you deliver to Norway?" is answered by the list of countries, and that Norway is not on it is
the answer. Of two kinds of list what could be on them is known: countries, and ways to pay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIST = 3
"""So many of a kind in one text are a list of it."""

_OPEN_END = re.compile(
    r"\b(?:world-?wide|anywhere|everywhere|all (?:other )?countries|any (?:other )?country|"
    r"international(?:ly)?|europe|(?:the |of )eu\b|european union|abroad|overseas|such as|"
    r"for example|"
    r"e\.g\.|including|and (?:many )?(?:more|others)|among others|all (?:major|common)|"
    r"weltweit|überall|europa|international\w*|ausland|zum beispiel|z\. ?b\.|unter anderem|"
    r"und (?:mehr|weitere))\b",
    re.IGNORECASE,
)
"""What is listed is not all."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What lists of one kind may have on them."""

    pattern: re.Pattern[str]
    which: Callable[[re.Match[str]], str]  # of them; "" where it is another word
    english: Mapping[str, str]  # what each is called
    german: Mapping[str, str]

    def named(self, text: str) -> list[str]:
        """Which of them a text names, in its order."""
        found = map(self.which, self.pattern.finditer(text))
        return list(dict.fromkeys(filter(None, found)))


def absent(
    question: str, excerpts: Sequence[str], texts: Iterable[str], *, german: bool = False
) -> tuple[str, ...]:
    """What a question asks for that is on none of the lists it is answered with, as it is called;
    () where there is no list, it goes on ("such as ..."), or one of `texts` names it after all."""
    for kind in (_countries(), _WAYS_TO_PAY):
        asked = kind.named(question)
        lists = [text for text in excerpts if len(kind.named(text)) >= LIST] if asked else []
        if not lists or any(map(_OPEN_END.search, lists)):
            continue
        known = {name for text in (*excerpts, *texts) for name in kind.named(text)}
        names = kind.german if german else kind.english
        return tuple(names[each] for each in asked if each not in known)
    return ()


# -- countries ---------------------------------------------------------------------------------

_SHORT = {
    "UK": "GB", "U.K.": "GB", "Britain": "GB", "Great Britain": "GB", "England": "GB",
    "Scotland": "GB", "Wales": "GB", "Northern Ireland": "GB", "Großbritannien": "GB",
    "Schottland": "GB", "US": "US", "U.S.": "US", "USA": "US", "U.S.A.": "US", "America": "US",
    "the States": "US", "Amerika": "US", "Holland": "NL", "Czech Republic": "CZ",
    "Tschechische Republik": "CZ", "UAE": "AE", "Emirates": "AE", "Korea": "KR", "Türkiye": "TR",
}  # fmt: skip
_CAPITAL_ONLY = frozenset({"us", "turkey", "jersey", "chad", "jordan", "guinea", "polen"})
"""Other words where they are small."""


@cache
def _countries() -> _Kind:
    file = Path(__file__).with_name("countries.txt")  # region, English and German, by tabs
    lines = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    region_of = {name.lower(): region for region, *names in lines for name in names}
    region_of |= {name.lower(): region for name, region in _SHORT.items()}
    longest_first = sorted(region_of, key=len, reverse=True)
    pattern = re.compile(
        rf"(?<![\w-])(?<!New )(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])",
        re.IGNORECASE,
    )

    def which(match: re.Match[str]) -> str:
        small = match[0].islower() and match[0] in _CAPITAL_ONLY
        return "" if small else region_of[match[0].lower()]

    english = {region: name for region, name, _ in lines}
    return _Kind(pattern, which, english, {region: name for region, _, name in lines})


# -- ways to pay -------------------------------------------------------------------------------

_NAMED = {
    "Visa": r"visa",
    "Mastercard": r"master ?card",
    "American Express": r"american express|amex",
    "PayPal": r"pay ?pal",
    "Apple Pay": r"apple ?pay",
    "Google Pay": r"google ?pay|gpay",
    "Klarna": r"klarna",
    "Afterpay": r"after ?pay",
    "Clearpay": r"clear ?pay",
    "Venmo": r"venmo",
    "Alipay": r"ali ?pay",
    "WeChat Pay": r"we ?chat ?pay",
    "Bancontact": r"bancontact",
    "Maestro": r"maestro",
    "Diners Club": r"diners(?: club)?",
    "Bitcoin": r"bitcoins?",
}
_DESCRIBED = {  # in English and in German
    "Cash on delivery": ("Nachnahme", r"cash on delivery|nachnahme"),
    "Cash": ("Barzahlung", r"cash(?! ?back)|bargeld|barzahlung|bar (?:be)?zahlen"),
    "Payment by cheque": (
        "Zahlung per Scheck",
        r"cheques?|(?:by|a|with|accept|take) checks?|schecks?",
    ),
    "Cryptocurrency": ("Kryptowährung", r"crypto\w*|kryptow\w*"),
    "Direct debit": ("Lastschrift", r"direct debits?|sepa|lastschrift"),
    "Bank transfer": ("Überweisung", r"(?:bank|wire) transfers?|(?:bank)?überweisung"),
    "Payment by gift card": ("Zahlung per Geschenkkarte", r"gift ?cards?|geschenkkarten?"),
    "Payment by invoice": ("Kauf auf Rechnung", r"(?:by|on|against) invoice|auf rechnung"),
    "Payment in instalments": (
        "Ratenzahlung",
        r"instal+ments?|in (?:\d|two|three|four|six|monthly) (?:payments|parts)|pay monthly"
        r"|ratenzahlung|in raten",
    ),
}
_WAYS_TO_PAY = _Kind(
    re.compile(
        "|".join(
            rf"(?P<way_{number}>(?<![\w-])(?:{pattern})(?!\w))"
            for number, pattern in enumerate(
                [*_NAMED.values(), *(pattern for _, pattern in _DESCRIBED.values())]
            )
        ),
        re.IGNORECASE,
    ),
    lambda match: [*_NAMED, *_DESCRIBED][int((match.lastgroup or "").removeprefix("way_"))],
    {name: name for name in (*_NAMED, *_DESCRIBED)},
    {name: name for name in _NAMED} | {name: said for name, (said, _) in _DESCRIBED.items()},
)
