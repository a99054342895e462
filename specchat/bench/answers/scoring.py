"""Whether answers are right, and the figures of many: pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from specchat.bench.answers.conversations import ExpectedConversation, ExpectedTurn
from specchat.bench.report import Report
from specchat.evidence.declines import declines


@dataclass(frozen=True, slots=True)
class Answer:
    """What the assistant said, and what it said it from."""

    text: str
    retrieved: tuple[str, ...] = ()  # ids of pages and orders
    unsupported: tuple[
        str, ...
    ] = ()  # numbers, prices, names that nothing retrieved or asked holds


@dataclass(frozen=True, slots=True)
class ScoredTurn:
    """An answer and what is wrong with it."""

    question: str
    answer: Answer
    missing: tuple[str, ...]  # groups of `must` of which nothing occurs, each as "a | b"
    forbidden: tuple[str, ...]  # expressions of `not` that occur

    @property
    def right(self) -> bool:
        """Whether it says what it must and nothing that it must not."""
        return not self.missing and not self.forbidden


@dataclass(frozen=True, slots=True)
class ScoredConversation:
    """A conversation's answers, judged."""

    id: str
    kind: str
    turns: tuple[ScoredTurn, ...]

    @property
    def right(self) -> bool:
        """Whether every answer is right."""
        return all(turn.right for turn in self.turns)

    @property
    def invented(self) -> bool:
        """Whether an answer holds a specific that nothing supports."""
        return any(turn.answer.unsupported for turn in self.turns)


def score_turn(expected: ExpectedTurn, answer: Answer) -> ScoredTurn:
    """The answer against what it must and must not say."""
    missing = tuple(
        " | ".join(expression.pattern for expression in group)
        for group in expected.must
        if not any(expression.search(answer.text) for expression in group)
    )
    forbidden = tuple(
        expression.pattern for expression in expected.forbidden if expression.search(answer.text)
    )
    return ScoredTurn(expected.question, answer, missing, forbidden)


def score_conversation(
    expected: ExpectedConversation, answers: Sequence[Answer]
) -> ScoredConversation:
    """A conversation's answers, one for each of its turns."""
    turns = map(score_turn, expected.turns, answers)
    return ScoredConversation(expected.id, expected.kind, tuple(turns))


def answers_report(scored: Sequence[ScoredConversation]) -> Report:
    """The report: its names are a contract. `right` and `invented` count conversations."""
    kinds: dict[str, list[ScoredConversation]] = defaultdict(list)
    for conversation in scored:
        kinds[conversation.kind].append(conversation)
    by_kind = {kind: _counts(group) for kind, group in sorted(kinds.items())}
    return {
        "summary": _counts(scored) | {"by_kind": by_kind},
        "rows": [_row(conversation) for conversation in scored],
    }


def answers_text(report: Report) -> str:
    """The report for a person: figures by kind, then what is wrong."""
    summary = report["summary"]
    lines = [
        f"{summary['right']} of {summary['conversations']} conversations right "
        f"({summary['share_right']:.0%}), {summary['invented']} with an invented specific"
    ]
    lines += [
        f"  {kind:24}{counts['right']:4} of {counts['conversations']}"
        for kind, counts in summary["by_kind"].items()
    ]
    for row in report["rows"]:
        wrong = (turn for turn in row["turns"] if not turn["right"] or turn["unsupported"])
        lines += [_wrong_line(row["id"], turn) for turn in wrong]
    if "rouge_l" in summary:
        lines.append(
            f"MTRAG: ROUGE-L {summary['rouge_l']:.3f}, declined "
            f"{summary['declined_unanswerable']:.0%} of the unanswerable and "
            f"{summary['declined_answerable']:.0%} of the answerable"
        )
    return "\n".join(lines)


def _wrong_line(name: str, turn: Report) -> str:
    faults = [
        *(f"lacks {group}" for group in turn["missing"]),
        *(f"says {expression}" for expression in turn["forbidden"]),
        *(f"invents {specific}" for specific in turn["unsupported"]),
    ]
    return f"{name}: {turn['q']!r} -> {turn['answer']!r} ({'; '.join(faults)})"


def _counts(scored: Sequence[ScoredConversation]) -> Report:
    right = sum(conversation.right for conversation in scored)
    return {
        "conversations": len(scored),
        "right": right,
        "invented": sum(conversation.invented for conversation in scored),
        "share_right": round(right / len(scored), 4) if scored else 0.0,
    }


def _row(conversation: ScoredConversation) -> Report:
    return {
        "id": conversation.id,
        "kind": conversation.kind,
        "right": conversation.right,
        "turns": [
            {
                "q": turn.question,
                "answer": turn.answer.text,
                "right": turn.right,
                "missing": list(turn.missing),
                "forbidden": list(turn.forbidden),
                "unsupported": list(turn.answer.unsupported),
                "retrieved": list(turn.answer.retrieved),
                "declined": declines(turn.answer.text),
            }
            for turn in conversation.turns
        ],
    }
