"""What the chat itself says to a customer: every sentence that no model wrote, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from specchat.chat.redaction.redact import describe

# -- while a question is answered --------------------------------------------------------------

NO_QUESTION = "There is no question in this conversation yet."
STILL_ANSWERING = (
    "The last question of this conversation is still being answered. "
    "Please wait for it, or stop it first."
)
FAILED = "Something went wrong while answering. Please try again."
NO_REASON = "The answer ended without a reason. Please try again."
MODEL_FAILED = "The model could not finish this answer. Please try again."
QUEUE_FULL = "Many customers are being answered right now. Please try again in a moment."
ENGINE_STOPPED = "The answering engine has stopped. Please try again in a moment."
REFUSED = (
    "This question has failed twice, so it is not answered for now. "
    "Please ask it in other words, or talk to a person."
)
CLOSING = "The chat is being closed. Please ask again in a moment."
NOT_SAVED = "This conversation cannot be saved at the moment."
A_PERSON_ANSWERED = "A colleague has answered here, so this can no longer be changed."
EMPTY_TITLE = "Please type a title first."
UNKNOWN_TURN = "This question is no longer there to be edited. Please ask it again."


UNKNOWN = "I'm sorry, I don't know that. Would you like to talk to a person?"
UNSURE = "I'm not sure, but this may help:"
PERSON = "Of course. You can talk to a person here."
TALK: Mapping[str, str] = {
    "greeting": "Hello! How can I help you today?",
    "thanks": "You're welcome! Is there anything else I can help with?",
    "goodbye": "Goodbye, and have a nice day!",
    "robot": "I'm a computer program. You can talk to a person here if you prefer.",
}
WORDLESS = "Hello! What can I help you with?"
PERSON_IN_GERMAN = "Gern. Hier können Sie mit einem Menschen sprechen."
TALK_IN_GERMAN: Mapping[str, str] = {
    "greeting": "Hallo! Wie kann ich Ihnen helfen?",
    "thanks": "Gern geschehen! Kann ich sonst noch etwas für Sie tun?",
    "goodbye": "Auf Wiedersehen und einen schönen Tag!",
    "robot": "Ich bin ein Computerprogramm. Auf Wunsch sprechen Sie hier mit einem Menschen.",
}


def not_listed(names: Sequence[str]) -> str:
    """What was asked for is not on the list that follows."""
    return f"Not on the list: {', '.join(names)}."


def not_listed_in_german(names: Sequence[str]) -> str:
    """The same in German."""
    return f"Nicht auf der Liste: {', '.join(names)}."


GERMAN_PAGE = "Das steht dazu auf unseren Hilfeseiten:"
GERMAN_UNSURE = "Ich bin nicht sicher, aber vielleicht hilft das:"
GERMAN = "Leider kann ich nur auf Englisch antworten."
GERMAN_UNKNOWN = (
    "Leider kann ich nur auf Englisch antworten. Fragen Sie gern auf Englisch, oder möchten Sie "
    "mit einem Menschen sprechen?"
)
COLLEAGUE_SAID = "A colleague wrote: "


ONLY_THOUGHTS = "The assistant thought about it for too long and gave no answer."


def cut(tokens: int) -> str:
    """The answer met its longest length."""
    return f"The answer was cut at {tokens} tokens."


def dropped(turns: int) -> str:
    """Earlier turns left the prompt."""
    many = "1 earlier turn no longer fits" if turns == 1 else f"{turns} earlier turns no longer fit"
    return f"{many} the model's memory."


def hidden(counts: Mapping[str, int]) -> str:
    """Personal data was taken out of the record."""
    return f"For your privacy we did not store: {describe(counts)}."


def bad_setting(problem: object) -> str:
    """A sampling setting is out of range."""
    return f"This setting does not work: {problem}."


def bad_request(problem: object) -> str:
    """The engine refuses the request."""
    return f"This question cannot be answered as asked: {problem}."


def bad_score(score: object, best: int) -> str:
    """A conversation's score is out of range."""
    return f"A score is a number from 1 to {best}, got {score!r}."


def bad_template(reason: str) -> str:
    """The model's chat template cannot write this conversation."""
    return f"The model's chat template cannot write this conversation: {reason}."


def too_long_answer(context: int, asked: int) -> str:
    """The answer alone would fill the context."""
    return f"The longest answer must be under {context} tokens, the model's context; got {asked}."


# -- why an answer may not help ----------------------------------------------------------------

DOUBTS: Mapping[str, str] = {
    "failed": "the answer could not be finished",
    "empty": "there was no answer",
    "admits": "the assistant says that it does not know",
    "repeats": "the answer repeats itself",
    "off_topic": "nothing in the help pages fits the question",
    "no_such_order": "no order has the number that was named",
    "disliked": "the answer did not help",
}

# -- handing over ------------------------------------------------------------------------------

REASONS: Mapping[str, str] = {
    "asked": "The customer asked for a person.",
    "failed": "Two answers in a row did not help.",
    "unsure": "The assistant was not sure of its answer.",
}
NO_DESK = "The support desk cannot be reached at the moment. Please try again, or call us."
HANDOFF_CLOSED = "This conversation is closed; the customer talks to the assistant again."
EMPTY_REPLY = "Please write a reply first."


def tally(answers: int, disliked: int, failed: int) -> str:
    """How often the assistant tried."""
    tries = "1 answer" if answers == 1 else f"{answers} answers"
    return f"The assistant gave {tries}: {disliked} disliked, {failed} failed."


def last_said(excerpt: str) -> str:
    """The assistant's last words."""
    return f"Its last words: {excerpt}"


# -- days --------------------------------------------------------------------------------------

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def day(value: date) -> str:
    """A day as people write it: "Monday, 23 November"."""
    return f"{_DAYS[value.weekday()]}, {value.day} {_MONTHS[value.month - 1]}"
