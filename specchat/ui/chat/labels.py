"""Every word of the chat tab and its sidebar that is not the assistant's own, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from specchat.chat.wording import DOUBTS, day

# -- first contact -----------------------------------------------------------------------------

QUESTION_LABEL = "Your question"
QUESTION_HINTS = {  # by the language of the company; the German page says the other one
    "en": "Type your question",
    "de": "Type your question in German",
}
SEND = "Send"
STOP = "Stop"
CONVERSATION = "Conversation"
TALK_TO_PERSON = "Talk to a person"
END_CONVERSATION = "End conversation"
WRITING = "…"
"""Stands for an answer whose first word is still to come."""


def disclosure(company: str) -> str:
    """Who answers; `company` is HTML already."""
    return (
        f"You are talking to an <b>AI assistant</b> of {company}, not to a person. It can be "
        "wrong. Please do not send passwords or card numbers."
    )


CONSENT = (
    "<b>May we keep your conversations?</b> Then you find them here again. Names, addresses and "
    "numbers are taken out first. Until you agree, no word is stored."
)
CONSENT_YES = "Keep them"
CONSENT_NO = "Do not keep them"


def placeholder(company: str, language: str) -> str:
    """Markdown in the empty conversation. The German page adds to English that it is English."""
    speaks = " It speaks German." if language == "de" else ""
    return (
        f"### How can we help?\nAsk {company}'s AI assistant anything about orders, delivery, "
        f"refunds or your account.{speaks}"
    )


# -- answers -----------------------------------------------------------------------------------

NO_QUESTION = "Please type a question first."
NOTHING_TO_UNDO = "There is nothing to undo."
NOTHING_TO_RETRY = "There is no answer to try again yet."
BROKE_OFF = "The answer broke off."
BEGUN_ANEW = "Your earlier conversation is no longer there, so this is a new one."
BEGUN_UNKEPT = (
    "You have not agreed that more is kept, so this is a new conversation. The earlier one stays "
    "until you delete it."
)
ALREADY_KEPT = "You have not agreed that more is kept here. Please ask in a new conversation."
NOT_NUMBERS = "Temperature, longest answer and seed must be numbers."
LIKE, DISLIKE = "Like", "Dislike"  # the chatbot draws its thumbs for these two words only
NOTHING_SAID = {
    "cancelled": "*Stopped before the first word.*",
    "failed": "*No answer: something went wrong. The question is kept; please try again.*",
    "completed": "*The model ended its answer without a word.*",
}
MARKS_FORGOTTEN = (
    "The marks of single tokens are kept only while specchat runs; the counts are stored."
)
NOT_MEASURED = "No measurements were stored for this answer."
COLLEAGUE = "Colleague:"
NOT_TIMED = {"completed": "Answered", "cancelled": "Stopped", "failed": "Not answered"}


def answered_in(ms: float) -> str:
    """How long an answer took, for a customer."""
    return f"Answered in {max(ms / 1000, 0.1):.1f} s"


SOURCES_READ = "Sources of this answer"
SOURCES_QUOTED = "In the words of our help page"
SOURCES_SHOWN = "From our help pages"
ORDER = "Order"
ORDER_UNKNOWN = "There is no order with this number. Please check it in your confirmation e-mail."
ORDER_STATES = {
    "processing": "Being prepared",
    "shipped": "On its way",
    "delivered": "Delivered",
    "cancelled": "Cancelled",
    "returned": "Return received",
    "refunded": "Refunded",
}
ORDER_DUE = {
    "processing": "Expected",
    "shipped": "Expected",
    "delivered": "Delivered",
    "cancelled": "Cancelled",
    "returned": "Refund expected by",
    "refunded": "Refund paid",
}
ORDER_STEPS = ("Ordered", "Prepared", "On its way", "Delivered")
ORDERED_ON, TOTAL, CARRIER, TRACKING = "Ordered", "Total", "Carrier", "Tracking number"


def on_day(value: date) -> str:
    """A day on a card."""
    return day(value)


# -- a person ----------------------------------------------------------------------------------

ACCEPT_OFFER = "Yes, a person please"
BACK_TO_ASSISTANT = "Back to the assistant"


def offer(doubts: Sequence[str]) -> str:
    """Why a person may be of more help."""
    reasons = ", and ".join(DOUBTS[name] for name in doubts)
    return f"This may not help: {reasons}. Would you like to talk to a person?"


def waiting(position: int, ticket: str) -> str:
    """The customer waits for a person."""
    place = "You are next" if position <= 1 else f"You are number {position} in the queue"
    return (
        f"{place}. Your ticket is {ticket}. A colleague will read a summary of what you wrote and "
        "answer here. For that this conversation is kept, redacted. Until then the assistant goes "
        "on helping."
    )


def talking(ticket: str) -> str:
    """A person has taken over."""
    return f"You are talking to a colleague now. Your ticket is {ticket}."


def settled(ticket: str) -> str:
    """The person has closed the ticket."""
    return f"Ticket {ticket} is closed. The assistant answers again."


# -- the end of a conversation -----------------------------------------------------------------

CSAT = "How satisfied are you with this conversation?"
CSAT_SCALE = "1: not at all · 5: very"
CSAT_COMMENT = "Would you like to tell us why?"
CSAT_SEND = "Send rating"
CSAT_SKIP = "Not now"
CSAT_MISSING = "Please choose a number from 1 to 5."
CSAT_THANKS = "Thank you. Your rating has been saved."
NOTHING_TO_END = "There is no conversation to end yet."

# -- sidebar -----------------------------------------------------------------------------------

SIDEBAR = "Conversations"
NEW = "New conversation"
UNTITLED = "New conversation"
PAST = "Past conversations"
PAST_INFO = "Kept for this browser only"
SEARCH = "Search"
SEARCH_HINT = "Words in your conversations"
BROWSER_KEEPS_NOTHING = (
    "Your browser lets this page store nothing, so this conversation is not kept: it is gone when "
    "the page is closed."
)
MORE_KEPT = "Only the 50 last used are shown here. A search finds the others."
MORE_FOUND = "More than 50 have these words. More words find fewer."
NONE_KEPT = "No conversation is kept yet."
NONE_FOUND = "No conversation has these words."
OPENED = "Open conversation"
TITLE = "Title"
RENAME = "Rename"
DELETE = "Delete"
DELETE_SURE = "Delete this conversation for good?"
DELETE_YES = "Yes, delete it"
CANCEL = "Cancel"
EXPORT_AS = "Save as"
EXPORT_JSON = "JSON"
EXPORT_MARKDOWN = "Markdown"
YOUR_DATA = "Your data"
KEEP = "Keep my conversations"
KEEP_INFO = "Redacted. Off: we store only timings and counts, no text."
NO_LONGER_KEPT = (
    "From now on nothing is kept. Your earlier conversations stay until you delete them."
)
FORGET = "Forget me"
FORGET_SURE = (
    "This erases all your conversations, ratings, hand-offs and races from our database and from "
    "the memory of the engine. It cannot be undone."
)
FORGET_YES = "Yes, forget me"
FORGOTTEN = "Everything of yours has been erased. You are a new customer to us now."
RENAMED = "The title has been changed."
DELETED = "The conversation has been erased."
NOT_KEPT = "This conversation is not kept, so it has no title to change."
NOTHING_NEW_KEPT = "You have not agreed that we keep anything new, so the title stays as it is."
NOTHING_OPEN = "Open a conversation first."
