"""A conversation as chatbot messages: the question, the answer, and its evidence on demand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from specchat.chat.types import ChatTurn
from specchat.ui.format import count, duration, footer, percent
from specchat.ui.marks import Run, legend, marked_text, style_of
from storage import TurnMetrics

Message = dict[str, Any]
"""One entry of `gr.Chatbot`: role, content and, for evidence, metadata."""


def transcript(turns: Sequence[ChatTurn]) -> list[Message]:
    """Messages of finished turns."""
    messages: list[Message] = []
    for turn in turns:
        messages.append(user_message(turn.question))
        messages.append(assistant_message(turn.answer or _nothing_said(turn.status)))
        messages.append(_evidence_message(turn))
    return messages


def user_message(text: str) -> Message:
    """What the customer typed, shown as typed: markup in it stays text."""
    return {"role": "user", "content": text.replace("&", "&amp;").replace("<", "&lt;")}


def assistant_message(text: str) -> Message:
    """The answer, so far or whole."""
    return {"role": "assistant", "content": text}


def _nothing_said(status: str) -> str:
    if status == "cancelled":
        return "*Stopped before the first word.*"
    if status == "failed":
        return "*No answer: something went wrong. The question is kept; please try again.*"
    return "*The model ended its answer without a word.*"


def _evidence_message(turn: ChatTurn) -> Message:
    line = footer(turn.footer_stats, turn.mode, turn.status)
    return {
        "role": "assistant",
        "content": evidence_html(turn.footer_stats, turn.mode, turn.segments),
        "metadata": {"title": line, "status": "done"},
    }


def evidence_html(numbers: TurnMetrics | None, mode: str, runs: Sequence[Run]) -> str:
    """Which tokens of an answer were accepted drafts, and what the turn cost. Escaped."""
    parts = []
    if runs and mode != "plain":
        parts.append(f'<div class="sc-marked">{marked_text(runs)}</div>')
        parts.append(legend(run.source for run in runs))
    elif mode != "plain":
        parts.append(
            "<div>The marks of single tokens are kept only while specchat runs; "
            "the counts are stored.</div>"
        )
    parts.append(f'<div class="sc-facts">{escape(_facts(numbers, mode))}</div>')
    return f'<div class="sc-evidence">{"".join(parts)}</div>'


def _facts(numbers: TurnMetrics | None, mode: str) -> str:
    if numbers is None:
        return "No measurements were stored for this answer."
    facts = [f"end to end {duration(numbers.e2e_ms)}", f"TPOT {duration(numbers.tpot_ms)}"]
    facts.append(f"prompt {count(numbers.prompt_tokens, 'token')}")
    if numbers.cached_tokens:
        facts.append(f"{count(numbers.cached_tokens, 'token')} from the prefix cache")
    if mode == "plain":
        return " · ".join([*facts, f"target passes {numbers.steps}"])
    facts.append(
        f"{numbers.accepted} of {numbers.drafted} draft tokens accepted in "
        f"{numbers.steps} target passes"
    )
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
