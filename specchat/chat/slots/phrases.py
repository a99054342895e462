"""Which words take the place of a slot, so that the sentence around it reads right.

A known value is not always the whole answer ("our {{website_url}}" wants "our website
www..."), and without a value the words around the slot must give way ("order number #{{...}}"
becomes "your order").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from specchat.chat.slots.vocabulary import SLOTS

NUMBER_LABELS: dict[str, str] = {
    "order_number": "order number",
    "invoice_number": "invoice number",
    "tracking_number": "tracking number",
    "reference_number": "reference number",
}
"""Slots that are numbers, and what such a number is called."""

FALLBACKS: dict[str, str] = {
    **{name: f"your {label}" for name, label in NUMBER_LABELS.items()},
    "refund_amount": "the amount shown on your order",
    "currency": "",
    "customer_name": "",
    "person_name": "the seller",
    "customer_email": "your e-mail address",
    "customer_phone": "your phone number",
    "postal_code": "your postal code",
    "account_type": "account type",
    "account_category": "account type",
    "delivery_city": "your city",
    "delivery_country": "your country",
    "date": "the date shown in your account",
    "date_range": "the period you named",
    "company_name": "our shop",
    "support_phone": "our support line",
    "support_hours": "our opening hours",
    "support_email": "our support address",
    "website_url": "our website",
    "portal": "your account page",
    "login_url": "our sign-in page",
    "store_location": "our stores",
}
"""Words for a slot nobody knows the value of. They never hold a number or a name."""

LOOKAHEAD = frozenset({"account_type", "account_category", "date_range", "refund_amount"})
"""Slots whose words depend on what follows them."""

LOOKAHEAD_CHARACTERS = 14

_DETERMINER = r"(?:the|your|our|an?|this|that|my|any|each)"
_ENDS_WITH_DETERMINER = re.compile(rf"\b{_DETERMINER}\s+$", re.IGNORECASE)
_STARTS_WITH_DETERMINER = re.compile(rf"^{_DETERMINER}\s+", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|[.!?]\s+|\n)$")


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is written for one slot."""

    text: str
    drop: int = 0  # characters to take away before the slot
    skip: int = 0  # characters to leave out behind it


def phrase(name: str, before: str, after: str, values: Mapping[str, str]) -> Phrase:
    """The words for slot `name` between `before` and `after`, with what is known in `values`.

    A name that is no slot gives the name itself, as words.
    """
    if name not in SLOTS:
        return Phrase(re.sub(r"[{}]", "", name).replace("_", " ").strip())
    value = values.get(name, "")
    if name in NUMBER_LABELS:
        return _known_number(name, value, before) if value else _unknown_number(name, before)
    if name in ("currency", "refund_amount"):
        return _money(name, before, after, values)
    if name == "date_range" and re.match(r"\s*(?:-\s*)?(?:business|working|days?\b)", after):
        return Phrase(value if value[:1].isdigit() else values.get("delivery_days", "3-5"))
    if value:
        return _known(name, value, before)
    return _unknown(name, before, after)


# -- numbers -----------------------------------------------------------------------------------

_NOUN = (
    r"(?:order|purchase|invoice|bill|receipt|claim|case|ticket|tracking|reference|parcel|package"
    r"|shipment)"
)
_NOUN_BEFORE = re.compile(  # "the order", "your bill with the number #", "order with order number"
    rf"(?:\b(?P<determiner>the|your|an?|this|that|my)\s+)?\b(?P<noun>{_NOUN})"
    rf"(?:\s+(?:associated\s+)?(?:with|under|by|having)(?:\s+(?:the|its|an?|your))?(?:\s+{_NOUN})?)?"
    r"(?:\s+(?:number|no\.?|id|code))?[\s:]*#?\s*$",
    re.IGNORECASE,
)
_DETERMINER_FURTHER_BACK = re.compile(
    rf"\b{_DETERMINER}\s+(?:(?!(?:of|for|on|with|about|to|from|in|and|or|is|at)\b)[\w'’-]+\s+)"
    r"{1,2}$",
    re.IGNORECASE,
)
_LABEL_BEFORE = re.compile(r"(?<=\w)\s*(?:\bis\b\s*|:\s*)?#?\s*$", re.IGNORECASE)
_ENDS_WITH_LABEL = re.compile(r"\b(?:number|no\.?|id)\s*(?:is\s*|:\s*)?#?\s*$", re.IGNORECASE)
_LABEL_FITS = re.compile(rf"\b(?:{_DETERMINER}|or|and|either)\s+#?$", re.IGNORECASE)


def _known_number(name: str, value: str, before: str) -> Phrase:
    """The value; "the {{order_number}}" gets its label back: "the order number 4417"."""
    drop = 1 if before.endswith("#") and value.startswith("#") else 0
    if _ENDS_WITH_DETERMINER.search(before):
        return Phrase(f"{NUMBER_LABELS[name]} {value}")
    return Phrase(value, drop=drop)


def _unknown_number(name: str, before: str) -> Phrase:
    """Words for a number nobody gave; a dangling "number" or "#" before it goes away."""
    match = _NOUN_BEFORE.search(before)
    if match:
        noun = match["noun"]
        if noun.lower() in ("tracking", "reference"):
            noun += " number"
        if match["determiner"]:
            words = f"{match['determiner']} {noun}"
        elif _DETERMINER_FURTHER_BACK.search(before[: match.start()]):
            words = noun
        else:
            words = f"your {noun[0].lower()}{noun[1:]}"
        return Phrase(_cased(words, before[match.start() :]), drop=len(match[0]))
    if _ENDS_WITH_LABEL.search(before):
        dangling = _LABEL_BEFORE.search(before)
        return Phrase("", drop=len(dangling[0]) if dangling else 0)
    sign = 1 if before.endswith("#") else 0
    if _LABEL_FITS.search(before):
        return Phrase(NUMBER_LABELS[name], drop=sign)
    words = FALLBACKS[name]
    start = before[: len(before) - sign]
    return Phrase(_capital(words) if _SENTENCE_START.search(start) else words, drop=sign)


# -- money -------------------------------------------------------------------------------------

_SIGN_BEFORE = re.compile(r"[$€£¥₹]\s*$")
_CURRENCY_WORD = re.compile(r"\s*(?:dollars?|euros?|pounds?|rupees?|USD|EUR|GBP|INR)\b", re.I)


def _money(name: str, before: str, after: str, values: Mapping[str, str]) -> Phrase:
    """An amount with exactly one currency, or words without any sign."""
    amount = values.get("refund_amount", "")
    currency = values.get("currency") or values.get("company_currency", "")
    sign = _SIGN_BEFORE.search(before)
    if name == "currency":
        return Phrase(currency if amount else "", drop=len(sign[0]) if sign and amount else 0)
    word = _CURRENCY_WORD.match(after)
    if not amount:
        return _without_determiner(
            Phrase(FALLBACKS[name], len(sign[0]) if sign else 0, word.end() if word else 0), before
        )
    if sign and currency and sign[0].strip() != currency:
        return Phrase(currency + amount, drop=len(sign[0]), skip=word.end() if word else 0)
    if sign or word is None:
        return Phrase(amount, skip=word.end() if sign and word else 0)
    own_word = values.get("currency") in (None, "", _sign_of(word[0]))
    return Phrase(amount) if own_word else Phrase(currency + amount, skip=word.end())


def _sign_of(word: str) -> str:
    return {"d": "$", "u": "$", "e": "€", "p": "£", "g": "£"}.get(word.strip()[0].lower(), "₹")


# -- all other slots ---------------------------------------------------------------------------


def _known(name: str, value: str, before: str) -> Phrase:
    """A known value; "our" and "during" before a bare fact get the word they need."""
    lower = before[-24:].lower()
    if lower.endswith("our "):
        noun = {
            "website_url": "website",
            "support_phone": "support line",
            "support_email": "support address",
            "login_url": "sign-in page",
        }.get(name)
        if noun:
            return Phrase(f"{noun} {value}")
        if name == "support_hours":
            return Phrase(f"support hours ({value})")
    if name == "support_hours" and lower.endswith(("during ", "within ")):
        return Phrase(f"our support hours ({value})")
    if name == "store_location" and lower.endswith(("at ", "visit ", "in ", "to ")):
        return Phrase(f"our {value}")
    if name == "portal" and lower.endswith((" to ", " into ", "visit ", "access ", " on ", " in ")):
        return Phrase(f"your {value}")
    return Phrase(value)


_ADDRESSED = re.compile(r"\b(?:Dear|Mr\.?|Mrs\.?|Ms\.?)\s*$")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr)\.?\s*$")
_SET_OFF = re.compile(r",?\s*$")
_CITY_OF = re.compile(r"\b(?:the\s+)?(?:city|country) of\s+$", re.IGNORECASE)


def _unknown(name: str, before: str, after: str) -> Phrase:
    if name == "customer_name":
        if _ADDRESSED.search(before):
            title = _TITLE.search(before)
            return Phrase("customer", drop=len(title[0]) if title else 0)
        if _SENTENCE_START.search(before):
            return Phrase("Dear customer")
        dangling = _SET_OFF.search(before)
        return Phrase("", drop=len(dangling[0]) if dangling else 0)
    if name in ("account_type", "account_category"):
        return _account(before, after)
    drop = 0
    for pattern in (_TITLE, _CITY_OF):
        match = pattern.search(before)
        drop = max(drop, len(match[0]) if match else 0)
    return _without_determiner(Phrase(FALLBACKS[name], drop), before)


def _account(before: str, after: str) -> Phrase:
    """ "your customer account", but "Choose the 'account type' option"."""
    adjective = re.match(r"\s+[\"']?(?:account|profile|membership|user|plan)", after, re.I)
    words = "customer" if adjective else FALLBACKS["account_type"]
    title = re.match(r"\s+[A-Z]", after) or _SENTENCE_START.search(before)
    return Phrase(_capital(words) if title else words)


def _without_determiner(plan: Phrase, before: str) -> Phrase:
    """No second determiner behind one that is there; a capital at the start of a sentence."""
    kept = before[: len(before) - plan.drop]
    words = plan.text
    if _ENDS_WITH_DETERMINER.search(kept):
        words = _STARTS_WITH_DETERMINER.sub("", words)
    if _SENTENCE_START.search(kept):
        words = _capital(words)
    return Phrase(words, plan.drop, plan.skip)


def _cased(words: str, like: str) -> str:
    return _capital(words) if like.lstrip()[:1].isupper() else words


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
