"""A conversation as chatbot messages: question, cards, answer, sources, and its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from specchat.chat.company.orders import OrderLookup
from specchat.chat.types import ChatTurn
from specchat.ui.chat import cards
from specchat.ui.chat import labels as text
from specchat.ui.chat.said import formatted, typed, written
from specchat.ui.shared.format import UNTOLD, count, duration, footer, percent
from specchat.ui.shared.token_highlights import Run, legend, marked_text, style_of
from storage import TurnMetrics

SERVER_WIDE = "counted server-wide, with whatever else it answered meanwhile"

Message = dict[str, Any]
"""One entry of `gr.Chatbot`: role, content and, for evidence, metadata."""


@dataclass(frozen=True)
class Transcript:
    """What the chatbot shows, and whose turn each message is."""

    messages: list[Message]
    turn_ids: list[str]  # one for each message
    opinions: list[str | None]  # one for each run of messages that are not the customer's


def transcript(turns: Sequence[ChatTurn], *, evidence: bool = True) -> Transcript:
    """Finished turns, each with its `evidence` or else with the time that it took."""
    messages: list[Message] = []
    turn_ids: list[str] = []
    opinions: list[str | None] = []
    for turn in turns:
        shown = messages_of(turn, evidence=evidence)
        opinion = {1: text.LIKE, -1: text.DISLIKE}.get(turn.opinion)
        for message in shown:
            if message["role"] == "assistant" and not _goes_on(messages):
                opinions.append(opinion)
            messages.append(message)
        turn_ids += [turn.turn_id] * len(shown)
    return Transcript(messages, turn_ids, opinions)


def _goes_on(messages: Sequence[Message]) -> bool:
    """True when the shop had the last word, so that its next message is in the same run."""
    return bool(messages) and messages[-1]["role"] == "assistant"


def messages_of(turn: ChatTurn, *, evidence: bool = True) -> list[Message]:
    """One turn."""
    question = [user_message(turn.question)] if turn.question else []
    if turn.by_person:
        said = [] if not turn.answer else [colleague_message(turn.answer)]
        return [*question, *said]
    answer = turn.answer or text.NOTHING_SAID[turn.status]
    return [
        *question,
        *answer_messages(answer, turn.lookups),
        *_sources(turn),
        _evidence_message(turn) if evidence else _time_message(turn),
    ]


def answer_messages(answer: str, lookups: Sequence[OrderLookup] = ()) -> list[Message]:
    """The cards of the orders it is about, and the answer, so far or whole."""
    found = [{"role": "assistant", "content": cards.order_cards(lookups)}] if lookups else []
    return [*found, assistant_message(answer)]


def user_message(said: str) -> Message:
    """What the customer typed, shown as typed: markup in it stays text."""
    return {"role": "user", "content": typed(said)}


def assistant_message(said: str) -> Message:
    """The answer, so far or whole."""
    return _shop(formatted(said))


def colleague_message(said: str) -> Message:
    """What a person wrote, shown as written."""
    return _shop(f'<div class="sc-colleague"><b>{text.COLLEAGUE}</b> {written(said)}</div>')


def _shop(content: str) -> Message:
    return {"role": "assistant", "content": content}


def _sources(turn: ChatTurn) -> list[Message]:
    if not turn.sources:
        return []
    quoted = turn.grounds is not None and turn.grounds.state == "page"
    return [_shop(cards.sources(turn.sources, read=turn.in_context, quoted=quoted))]


def _evidence_message(turn: ChatTurn) -> Message:
    line = footer(turn.footer_stats, turn.mode, turn.status)
    return {
        "role": "assistant",
        "content": evidence_html(turn.footer_stats, turn.mode, turn.segments),
        "metadata": {"title": line, "status": "done"},
    }


def _time_message(turn: ChatTurn) -> Message:
    """How long an answer took, for a customer."""
    numbers = turn.footer_stats
    if turn.status != "completed" or numbers is None:
        said = text.NOT_TIMED[turn.status]
    else:
        said = text.answered_in(numbers.e2e_ms)
    return _shop(f'<div class="sc-answered">{escape(said)}</div>')


def evidence_html(numbers: TurnMetrics | None, mode: str, runs: Sequence[Run]) -> str:
    """Which tokens of an answer were accepted drafts, and what the turn cost. Escaped."""
    parts = []
    if runs and mode != "plain":
        parts.append(f'<div class="sc-marked">{marked_text(runs)}</div>')
        parts.append(legend(run.source for run in runs))
    elif mode != "plain":
        parts.append(f"<div>{text.MARKS_FORGOTTEN}</div>")
    parts.append(f'<div class="sc-facts">{escape(_facts(numbers, mode))}</div>')
    return f'<div class="sc-evidence">{"".join(parts)}</div>'


def _facts(numbers: TurnMetrics | None, mode: str) -> str:
    if numbers is None:
        return text.NOT_MEASURED
    facts = [f"end to end {duration(numbers.e2e_ms)}", f"TPOT {duration(numbers.tpot_ms)}"]
    facts.append(f"prompt {count(numbers.prompt_tokens, 'token')}")
    if numbers.cached_tokens:
        facts.append(f"{count(numbers.cached_tokens, 'token')} from the prefix cache")
    if numbers.verification == "untold":
        return " · ".join([*facts, UNTOLD])
    if mode == "plain":
        return " · ".join([*facts, f"target passes {numbers.steps}"] if numbers.steps else facts)
    facts.append(
        f"{numbers.accepted} of {numbers.drafted} draft tokens accepted in "
        f"{numbers.steps} target passes"
    )
    if numbers.verification == "server-wide":
        facts.append(SERVER_WIDE)
    offered = numbers.drafted_by_depth
    reached = [
        f"{depth}: {percent(accepted, drafted)}"
        for depth, (drafted, accepted) in enumerate(
            zip(offered, numbers.accepted_by_depth, strict=False), start=1
        )
        if drafted
    ]
    if reached:
        facts.append("by depth " + ", ".join(reached))
    facts.extend(
        f"{style_of(source).label}: {accepted}"
        for source, accepted in sorted(numbers.accepted_by_source.items())
        if accepted
    )
    return " · ".join(facts)
