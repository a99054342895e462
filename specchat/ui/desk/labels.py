"""Every word of the support desk, in one place."""

from __future__ import annotations

from datetime import datetime

from storage.care.records import HandoffReason, HandoffStatus

TAB = "Desk"
INTRO = (
    "For colleagues: customers who want a person. What you read here is redacted. The key is "
    "<code>SPECCHAT_DESK_KEY</code>, or the one that specchat printed when it started."
)
KEY = "Key of the desk"
OPEN = "Open the desk"
WRONG_KEY = "This is not the key of the desk."
QUEUE = "Customers"
NOBODY = "Nobody waits. Customers appear here as soon as they ask for a person."
CHOOSE = "Choose a customer from the list."
SUMMARY = "Summary"
SAID = "What was said"
CANNED = "Canned replies"
CANNED_INFO = "Choosing one writes it into the reply"
REPLY = "Your reply"
REPLY_HINT = "Write to the customer"
SEND = "Send reply"
CLOSE = "Close ticket"
CLOSED = "The ticket is closed."
GONE = "This hand-off is no longer there."
REASONS: dict[HandoffReason, str] = {
    "asked": "asked for a person",
    "failed": "answers did not help",
    "unsure": "assistant unsure",
}
STATES: dict[HandoffStatus, str] = {
    "waiting": "waits",
    "active": "is talked to",
    "closed": "closed",
}
CUSTOMER, ASSISTANT, COLLEAGUE = "Customer", "Assistant (AI)", "Colleague"


def line(ticket: str, status: HandoffStatus, reason: HandoffReason, since: datetime) -> str:
    """One customer in the list."""
    return f"{ticket} · {STATES[status]} · {REASONS[reason]} · since {since:%H:%M} UTC"
