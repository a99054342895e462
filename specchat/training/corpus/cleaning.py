"""Turns of raw support text into clean turns: the retailer's name, numbers and names as slots."""

import re

from specchat.chat.slots.vocabulary import slot_token

Turn = tuple[str, str]  # role, text

_COMPANY = slot_token("company_name")

# Longest first, so that "Amazon Prime" is gone before "Amazon" is looked for.
_RETAILER: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in (
        (r"\bamazon\s+pay(?:\s+later)?(?=\s+balance)", "store credit"),
        (r"\bamazon\s+pay(?:\s+later)?\b", "store credit"),
        (r"\b(?:amazon(?:'s)?\s+)?prime\s+(?=day|video|music)", "Premium "),
        (
            r"\b(?:amazon(?:'s)?\s+)?prime\b(?=\s+(?:member|customer|deliver|shipping|account|user"
            r"|subscription|status|benefit|order|charge|fee|renewal|plan|payment|service|free|one"
            r"|two|same|next|discount|trial|day|n\b|or\b|and\b))",
            "Premium",
        ),
        (r"\bamazon\s+prime\b", "Premium"),
        (r"(?<![a-z])prime\b(?!\s+(?:time|minister|concern|example))", "Premium"),
        (
            r"\bamazon\s+(?:india|basics|fresh|echo|fire|kindle|music|video|fashion|business)\b",
            _COMPANY,
        ),
        (r"\bwww\.amazon\.(?:in|com)\b|\bamazon\.(?:in|com)\b", slot_token("website_url")),
        (r"\bamazons\b", _COMPANY + "'s"),
        (r"#?@?\bamazon\w*", _COMPANY),
        (r"\b(?:amazn|amazone|amzon|amzn|amazo|amzaon|amaz0n)\b", _COMPANY),
        (
            r"\b(?:flipkart|flip\s+kart|flipcart|myntra|snapdeal|meesho|ebay|walmart|croma)\b",
            "another shop",
        ),
    )
)

_NUMBERS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in (
        (r"https?://\S+|\bwww\.[^\s,]+", slot_token("website_url")),
        (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*", slot_token("customer_email")),
        (
            r"\b(tracking|awb|consignment|shipment)"
            r"((?:\s+(?:number|no\.?|id|code|is|it'?s))*[\s:#.'\"-]{1,4})"
            r"(?=[a-z0-9-]*\d)[a-z0-9][a-z0-9-]{5,}",
            r"\1\2" + slot_token("tracking_number"),
        ),
        (
            r"\b(invoice)((?:\s+(?:number|no\.?|id))*[\s:#.'\"-]{1,4})"
            r"(?=[a-z0-9-]*\d)[a-z0-9][a-z0-9-]{4,}",
            r"\1\2" + slot_token("invoice_number"),
        ),
        (
            r"\b(arn|rrn|utr|reference|ticket|case|transaction|claim|complaint|request|return)"
            r"((?:\s+(?:number|no\.?|id|is))*[\s:#.'\"-]{1,4})(?!order)"
            r"(?=[a-z0-9-]*\d)[a-z0-9][a-z0-9-]{5,}",
            r"\1\2" + slot_token("reference_number"),
        ),
        (r"#?\b\d{2,4}-\d{5,8}-\d{5,8}\b", slot_token("order_number")),
        (
            r"\b(orders?(?:\s+(?:number|no\.?|id|num|is|it'?s))*[\s:#.'\"-]{1,5})"
            r"(?=[a-z0-9-]*\d)[a-z0-9][a-z0-9-]{4,}",
            r"\1" + slot_token("order_number"),
        ),
        (r"\border\s+#?\d{3,4}\b", "order " + slot_token("order_number")),
        (
            r"\+91[\s-]?\d{5}[\s-]?\d{5}\b|\b[6-9]\d{9}\b|\b\d{3}-\d{3}-\d{4}\b",
            slot_token("customer_phone"),
        ),
        (r"\b[1-9]\d{2}\s?\d{3}\b(?!\s*(?:rs|rupees|inr))", slot_token("postal_code")),
        (
            r"\b\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:january|february|march|april|may|june|july"
            r"|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct"
            r"|nov|dec)\b(?:,?\s+20\d\d)?",
            slot_token("date"),
        ),
        (
            r"\b(?:january|february|march|april|may|june|july|august|september|october|november"
            r"|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\s+\d{1,2}(?:st|nd|rd|th)?\b"
            r"(?:,?\s+20\d\d)?",
            slot_token("date"),
        ),
        (r"\b20\d\d-\d\d-\d\d\b|\b\d{1,2}[/.]\d{1,2}[/.](?:20)?\d\d\b", slot_token("date")),
        (r"(?:₹|\brs\.?|\binr)\s?(?=\d)", slot_token("currency")),
        (
            r"(\d[\d,]*(?:\.\d+)?)\s?(?:rs\b\.?|inr\b|rupees?\b|rupess\b|/-)",
            slot_token("currency") + r"\1",
        ),
        (
            r"#?(?=[a-z0-9-]*\d)\b(?:\d[\d-]{8,}\d|[a-z]{2,}\d[a-z0-9]{7,})\b",
            slot_token("reference_number"),
        ),
    )
)

_PEOPLE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (
            r"\b(?:Mr|Mrs|Ms|Miss|Dr)\.?\s+[A-Z][a-z]+(?:\s+[A-Z][a-z]+)?",
            slot_token("customer_name"),
        ),
        (
            r"\b([Mm]y name is|[Tt]his is|my name's|[Nn]ame:|I am|Dear|Hello|Hi)\s+"
            r"[A-Z][a-z]+\s+(?:Sharma|Verma|Singh|Kumar|Gupta|Patel|Reddy|Rao|Nair|Iyer|Khan|Das"
            r"|Joshi|Mehta|Shah|Jain|Kapoor|Malhotra|Desai|Pillai|Menon|Mishra|Pandey|Yadav|Roy)\b",
            r"\1 " + slot_token("customer_name"),
        ),
        (r"\b([Mm]y name is|my name's)\s+[A-Z][a-z]+", r"\1 " + slot_token("customer_name")),
    )
)

# "sir/madam", "ma'am or sir", with the comma that sets it off
_HONORIFIC = r"(?:[Ss]ir|[Mm]adam|SIR|MADAM|[Mm]a['’]?am|[Mm]aam)"
_ADDRESS = rf"(?:[Dd]ear\s+)?{_HONORIFIC}(?:\s*(?:/|or)\s*{_HONORIFIC})?"

_BRACKETS = re.compile(r"\[[^\]]*\]|\[|\]")
_UNFIT = re.compile(
    r"\b(?:suicid\w*|kill(?:ed)?\s+(?:my|him|her|you|u)\w*|fuck\w*|rape\w*|bomb\w*|terroris\w*"
    r"|bastard\w*|bitch\w*|asshole\w*|murder\w*|beat you|slap)\b",
    re.IGNORECASE,
)


def clean_turns(turns: list[Turn], dialogue: bool = False) -> list[Turn]:
    """The conversation with slots in place, or an empty list when it should not be learned from.

    With `dialogue`, numbers and people become slots. The text ends before a turn that holds a
    placeholder in square brackets. The result alternates, starts with the customer and ends with
    the agent.
    """
    if any(_UNFIT.search(text) for _, text in turns):
        return []
    kept: list[Turn] = []
    for role, text in turns:
        if _BRACKETS.search(text):
            break
        text = without_glued_numbers(without_retailer(text))
        if dialogue:
            text = with_slots(without_honorifics(text))
        text = tidy(text)
        if not text:
            break
        if kept and kept[-1][0] == role:
            kept[-1] = (role, kept[-1][1] + "\n" + text)
        else:
            kept.append((role, text))
    while kept and kept[-1][0] != "assistant":
        kept.pop()
    return kept if kept and kept[0][0] == "user" else []


def without_retailer(text: str) -> str:
    """`text` with the real retailer's name as `{{company_name}}` and its rivals as words."""
    for pattern, replacement in _RETAILER:
        text = pattern.sub(replacement, text)
    company = re.escape(_COMPANY)
    text = re.sub(rf"{company}(?:\s+{company})+", _COMPANY, text)
    return re.sub(rf"\b([Aa])n (?={company}|Premium)", r"\1 ", text)


def without_glued_numbers(text: str) -> str:
    """`text` with long numbers that stand behind order, purchase or invoice as slots."""
    order, invoice = slot_token("order_number"), slot_token("invoice_number")
    text = re.sub(r"\b(order|purchase)\s*#?\d{8,}", rf"\1 {order}", text, flags=re.IGNORECASE)
    return re.sub(r"\b(invoice|bill)\s*#?\d{5,}", rf"\1 {invoice}", text, flags=re.IGNORECASE)


def with_slots(text: str) -> str:
    """`text` with order, tracking and other numbers, dates and people as slots."""
    for pattern, replacement in (*_NUMBERS, *_PEOPLE):
        text = pattern.sub(replacement, text)
    return text


def without_honorifics(text: str) -> str:
    """`text` without "Sir/Madam" and the comma that sets it off."""
    text = re.sub(rf"^\s*{_ADDRESS}\s*[,.!]\s*(\w?)", lambda m: m.group(1).upper(), text)
    text = re.sub(rf",\s*{_ADDRESS}(?=\s*[,.!?;:]|\s*$)", "", text)
    text = re.sub(rf"([.!?]\s+){_ADDRESS},\s*(\w)", lambda m: m[1] + m[2].upper(), text)
    text = re.sub(rf",\s*{_ADDRESS}(?=\s)", ",", text)
    return re.sub(rf"\s+{_ADDRESS}(?=\s*[,.!?;:]|\s*$)", "", text)


def tidy(text: str) -> str:
    """`text` with single spaces, at most one empty line, straight quotes and no outer space."""
    text = text.replace("\r", "").replace("“", '"').replace("”", '"')
    text = text.replace("’", "'").replace("‘", "'").replace("\u00a0", " ")
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
