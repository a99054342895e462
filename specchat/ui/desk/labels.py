"""Every word of the support desk, in one place."""

from __future__ import annotations

from storage.care.records import HandoffReason, HandoffStatus

INTRO = "For colleagues: customers who want a person. What you read here is redacted."
KEY = "Key of the desk"
OPEN = "Open the desk"
LOCK = "Lock desk"
WRONG_KEY = "Wrong key."
NOT_KEPT = "This browser keeps no cookie here. Open the desk in a window of its own."
LOCKED = "The desk is locked."
QUEUE = "Customers"
NOBODY = "Nobody waits. Customers appear here as soon as they ask for a person."
CHOOSE = "Choose a customer from the list."
SUMMARY = "Summary"
NOTHING_SAID = "What was said before is not kept; the summary says what it was about."
CANNED = "Canned replies"
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
CUSTOMER, ASSISTANT, COLLEAGUE = "Customer", "Assistant (AI)", "Colleague"
KNOWN = "About this customer"
KEYS = "j, k: next and previous customer · Ctrl + Enter: send"
LONGEST_QUESTION = 60  # characters of it in the list


def line(
    ticket: str, status: HandoffStatus, reason: HandoffReason, waited_s: float, asked: str
) -> str:
    """One customer in the list: the last question, then how it stands and for how long."""
    shown = " ".join(asked.split())
    if len(shown) > LONGEST_QUESTION:
        shown = shown[: LONGEST_QUESTION - 1].rstrip() + "…"
    since = waited(waited_s)
    state = f"in conversation {since}" if status == "active" else f"waiting {since}"
    return "\n".join((shown or ticket, " · ".join((state, REASONS[reason], ticket))))


def waited(seconds: float) -> str:
    """How long, as people say it."""
    minutes = max(0, int(seconds // 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
