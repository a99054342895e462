"""The slots of the bundled `care` model: their names, meanings and how data sets spell them.

The model is trained on text in which everything that differs between shops or customers is a
slot such as `{{order_number}}`. The chat layer rewrites what a customer types to slots, and
fills the slots of an answer. Every slot is one special token of the `care` tokenizer.

Pure Python: no tensor library is imported here.
"""

import re
import zlib

SLOTS: dict[str, str] = {
    # said by the customer, or looked up from what the customer said
    "order_number": "the customer's order number; said by the customer or looked up",
    "invoice_number": "the number of an invoice or bill",
    "tracking_number": "the carrier's number for a parcel",
    "reference_number": "any other long number or code: claim, refund, payment or ticket",
    "refund_amount": "an amount of money the customer names, without its currency",
    "currency": "the currency sign before an amount, such as $",
    "customer_name": "the customer's own name",
    "person_name": "the person or firm an invoice is from, as the customer says it",
    "customer_email": "the customer's e-mail address",
    "customer_phone": "the customer's phone number",
    "postal_code": "the postal code of the customer's address",
    "account_type": "the kind of account asked about, such as Premium",
    "account_category": "the kind of account asked about, such as Free; as account_type",
    "delivery_city": "a city that the customer wants a delivery to or orders from",
    "delivery_country": "a country that the customer wants a delivery to or orders from",
    "date": "one day, such as 12 May: of an order, a delivery or a payment",
    "date_range": "a number of days such as 3-5, or the span of time an invoice is from",
    # facts about the company
    "company_name": "the name of the shop",
    "support_phone": "the phone number of customer support",
    "support_hours": "when customer support answers, such as Mon-Fri 9-18",
    "support_email": "the e-mail address of customer support",
    "website_url": "the address of the shop's site",
    "portal": "the name or address of the customer's account pages",
    "login_url": "the address of the page to sign in on",
    "store_location": "where the shop's physical stores are",
}
"""Slot name to what it stands for."""

_PATTERN = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def slot_token(name: str) -> str:
    """The text of a slot's token: `{{name}}`. Raises `KeyError` for a name that is no slot."""
    if name not in SLOTS:
        raise KeyError(f"no slot is named {name!r}; slots are: {', '.join(SLOTS)}")
    return "{{" + name + "}}"


SLOT_TOKENS: tuple[str, ...] = tuple(slot_token(name) for name in SLOTS)
"""The special tokens of the tokenizer that stand for slots, in the order of their ids."""

BITEXT_SLOTS: dict[str, str] = {
    "order number": "order_number",
    "order/invoice number": "order_number",
    "order/claim number": "order_number",
    "order/transaction id": "order_number",
    "invoice number": "invoice_number",
    "invoice name": "invoice_number",
    "tracking number": "tracking_number",
    "rebate tracking number": "reference_number",
    "reimbursement id": "reference_number",
    "rebate id": "reference_number",
    "rebate number": "reference_number",
    "restitution id": "reference_number",
    "compensation id": "reference_number",
    "compensation identifier": "reference_number",
    "case number": "reference_number",
    "order/refund/case number": "reference_number",
    "order/transaction/reference number": "reference_number",
    "order/transaction/reimbursement": "reference_number",
    "order/refund/transaction": "reference_number",
    "reimbursement request number": "reference_number",
    "reference number": "reference_number",
    "customer support ticket number": "reference_number",
    "account number": "reference_number",
    "account id": "reference_number",
    "customer id": "reference_number",
    "refund amount": "refund_amount",
    "money amount": "refund_amount",
    "currency symbol": "currency",
    "person name": "person_name",
    "client last name": "person_name",
    "client name": "person_name",
    "client first name": "person_name",
    "client full name": "person_name",
    "full name": "customer_name",
    "username": "customer_name",
    "email address": "customer_email",
    "zip code": "postal_code",
    "account type": "account_type",
    "profile type": "account_type",
    "account plan": "account_type",
    "membership type": "account_type",
    "account category": "account_category",
    "delivery city": "delivery_city",
    "delivery country": "delivery_country",
    "country": "delivery_country",
    "destination": "delivery_city",
    "date": "date",
    "date of the invoice": "date",
    "date of the bill": "date",
    "delivery date": "date",
    "eta": "date",
    "date range": "date_range",
    "number of days": "date_range",
    "company name": "company_name",
    "companyname": "company_name",
    "company": "company_name",
    "business name anonymized": "company_name",
    "customer support phone number": "support_phone",
    "customer support contact number": "support_phone",
    "customer support toll-free number": "support_phone",
    "customer service toll-free number": "support_phone",
    "customer assistance phone number": "support_phone",
    "customer support hotline": "support_phone",
    "free customer support number": "support_phone",
    "support phone number": "support_phone",
    "company phone number": "support_phone",
    "registration support phone number": "support_phone",
    "refund helpline number": "support_phone",
    "refund hotline number": "support_phone",
    "payment issue phone number": "support_phone",
    "complaint hotline number": "support_phone",
    "claims contact number": "support_phone",
    "toll-free number": "support_phone",
    "customer support hours": "support_hours",
    "customer service hours": "support_hours",
    "customer assistance hours": "support_hours",
    "support hours": "support_hours",
    "business hours": "support_hours",
    "working hours": "support_hours",
    "customer support email": "support_email",
    "customer service email": "support_email",
    "customer service email address": "support_email",
    "customer assistance email": "support_email",
    "customer assistance email address": "support_email",
    "complaint email address": "support_email",
    "consumer complaint email address": "support_email",
    "feedback email": "support_email",
    "feedback email address": "support_email",
    "product feedback email": "support_email",
    "product reviews email": "support_email",
    "payment issue email": "support_email",
    "website url": "website_url",
    "platform url": "website_url",
    "customer support website": "website_url",
    "claims website url": "website_url",
    "support page url": "website_url",
    "company support page url": "website_url",
    "help center url": "website_url",
    "contact page url": "website_url",
    "customer support live chat url": "website_url",
    "online company portal info": "portal",
    "company account": "portal",
    "login page url": "login_url",
    "login url": "login_url",
    "platform login url": "login_url",
    "account recovery page url": "login_url",
    "profile recovery page url": "login_url",
    "password recovery page url": "login_url",
    "password reset page url": "login_url",
    "key recovery page url": "login_url",
    "access key reset page url": "login_url",
    "pin reset page url": "login_url",
    "pin retrieval page url": "login_url",
    "pin recovery page url": "login_url",
    "user key retrieval page url": "login_url",
    "user profile page url": "login_url",
    "store location": "store_location",
    "store address": "store_location",
    "retail stores": "store_location",
}
"""Bitext's spellings (lower case, single spaces) to our slots."""

BITEXT_LABELS: dict[str, tuple[str, ...]] = {
    "online order interaction": ("My Orders", "Order History", "Your Orders", "My Purchases"),
    "account change": ("Change Account", "Switch Account"),
    "upgrade account": ("Upgrade Account",),
    "live chat support": ("Live Chat",),
    "live chat feature": ("Live Chat",),
    "customer support team": ("customer support",),
    "customer support team name": ("customer support",),
    "contact method": ("phone, e-mail or live chat",),
    "contact_method": ("phone, e-mail or live chat",),
    "contact channel": ("phone, e-mail or live chat",),
    "support channel": ("live chat",),
    "online customer support channel": ("live chat",),
    "company support channels": ("phone, e-mail or live chat",),
    "carrier name": ("the carrier",),
    "review platform": ("our website",),
    "online store": ("online store",),
}
"""Bitext's slots that name a button or page, and the words that take their place."""

_CANCEL_LABELS = ("Cancel Order", "Cancel Purchase", "Request Cancellation")

# A slot whose name is itself what the button says, such as {{Forgot Password}}.
_LABEL_WORDS = re.compile(
    r"^(forgot|reset|recover|retrieve|restore|change|switch|manage|edit|update|track|cancel|"
    r"upgrade|downgrade|order|purchase|account|profile|user|pin|password|security|settings|key|"
    r"access|privacy|my|live|save|submit|confirm|remove|contact|help|dashboard|sign|create|login|"
    r"tracking|shipping|billing|lost|stolen|basic|regular|free|add|choose|return|refund|"
    r"cancellation)\b",
    re.IGNORECASE,
)
_NO_LABEL = re.compile(
    r"\b(time|days?|timeframe|process|number|url|email|steps?|option|method|name|address|"
    r"feature|format)\b",
    re.IGNORECASE,
)


def canonical_text(text: str) -> str | None:
    """`text` with every `{{spelling}}` a canonical slot or plain words; None if one is unknown.

    Deterministic: where several words fit, a checksum of the text around the slot picks one.
    """
    text = re.sub(r"\{\{\s*Salutation\s*\}\}\s*", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:Mr|Ms|Mrs|Mx|Dr)\.?\s+(?=\{\{\s*Client)", "", text)
    text = re.sub(
        r"(\{\{Client First Name\}\})\s+\{\{Client Last Name\}\}", r"\1", text, flags=re.IGNORECASE
    )
    parts: list[str] = []
    last = 0
    for match in _PATTERN.finditer(text):
        replacement = _replacement(match.group(1), text, match.start(), match.end())
        if replacement is None:
            return None
        parts += [text[last : match.start()], replacement]
        last = match.end()
    result = "".join([*parts, text[last:]])
    if re.search(r"\{\{|\}\}", _PATTERN.sub("", result)):
        return None
    return result


def _replacement(spelling: str, text: str, start: int, end: int) -> str | None:
    """What takes the place of one slot, or None when it is unknown."""
    key = " ".join(spelling.lower().replace("_", " ").split())
    if spelling in SLOTS:
        return slot_token(spelling)
    if key in BITEXT_SLOTS:
        return slot_token(BITEXT_SLOTS[key])
    if key == "online order interaction" and _asks_to_cancel(text[max(0, start - 90) : end + 90]):
        return _pick(_CANCEL_LABELS, text[max(0, start - 40) : end])
    if key in BITEXT_LABELS:
        alternatives = BITEXT_LABELS[key]
        before = text[max(0, start - 10) : start]
        if key == "online order interaction" and before.rstrip().endswith(("or '", 'or "', "or")):
            alternatives = alternatives[1::2]  # never the word that stands before the "or"
        elif key == "online order interaction":
            alternatives = alternatives[0::2]
        return _pick(alternatives, text[max(0, start - 40) : start])
    if _LABEL_WORDS.match(key) and not _NO_LABEL.search(key):
        return spelling
    return None


def _asks_to_cancel(context: str) -> bool:
    """Whether the slot in the middle of `context` is a button that cancels an order."""
    section = re.search(r"\b(section|navigate|page|tab|access)\b", context, re.IGNORECASE)
    button = re.search(r"\b(option|labell?ed|button|select|click)\b", context, re.IGNORECASE)
    return bool(button) and "cancel" in context.lower() and not section


def _pick(alternatives: tuple[str, ...], seed: str) -> str:
    """One of the alternatives, the same one for the same seed text on every machine."""
    return alternatives[zlib.crc32(seed.encode()) % len(alternatives)]
