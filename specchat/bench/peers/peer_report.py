"""What a contest showed: tokens, times, and each arm's times over ours on the same prompts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specchat.bench.peers.contest import ContestPlan, ContestResult
from specchat.bench.peers.pinned import OWN, Peer, PeerArm
from specchat.bench.peers.worker_process import Answer
from specchat.bench.prompts import BenchPrompt
from specchat.evidence import Pair, paired_speedup

Report = dict[str, Any]
Answers = Mapping[str, Sequence[Answer]]
Measure = Callable[[Answer], float]

MEASURES: Mapping[str, Measure] = {
    "tpot_ms": lambda answer: answer.tpot_ms,
    "ttft_ms": lambda answer: answer.first_ms,
    "total_ms": lambda answer: answer.total_ms,
}


@dataclass(frozen=True, slots=True)
class NamedArm:
    """An arm and the peer it belongs to."""

    peer: Peer
    arm: PeerArm

    @property
    def name(self) -> str:
        """What it is called in a report: "llama.cpp, Q4_1, n-grams"."""
        return f"{self.peer.name}, {self.arm.name}"


def references(arms: Sequence[NamedArm]) -> dict[str, str]:
    """Our own arms that all are compared with, "plain" and "speculative": the first of each kind
    whose weights are not quantised."""
    own = [each for each in arms if each.peer.name == OWN and not each.arm.quantised]
    found: dict[str, str] = {}
    for each in own:
        found.setdefault("speculative" if each.arm.speculative else "plain", each.name)
    return found


def peers_report(
    environment: Mapping[str, Any],
    settings: Mapping[str, Any],
    plan: ContestPlan,
    prompts: Sequence[BenchPrompt],
    arms: Sequence[NamedArm],
    result: ContestResult,
) -> Report:
    """Every arm with its medians over prompts, in milliseconds; ratios are its time over ours on
    the same prompt, so that above 1 ours is faster. Repeats are reduced to medians first."""
    ours = references(arms)
    lengths = {prompt.prompt_id: len(prompt.ids) for prompt in prompts}
    sampling = {"max_tokens": plan.max_tokens, "temperature": 0.0, "seed": plan.seed}
    return {
        "environment": dict(environment),
        "settings": dict(settings) | sampling | {"repeats": plan.repeats, "streams": 1},
        "references": ours,
        "arms": [_arm(each, ours, lengths, result) for each in arms],
        "failures": [{"arm": arm, "error": why} for arm, why in result.failures.items()],
        "prompts": [
            {"id": name, "tokens": count, "answers": _answers(name, result)}
            for name, count in lengths.items()
        ],
    }


def _arm(
    each: NamedArm, ours: Mapping[str, str], lengths: Mapping[str, int], result: ContestResult
) -> Report:
    answers = result.measured.get(each.name, {})
    same = _same_tokens(each.name, ours.get("plain"), result)
    return {
        "arm": each.name,
        "peer": each.peer.name,
        "speculative": each.arm.speculative,
        "quantised": each.arm.quantised,
        "compared": len(same),
        "identical": sum(same),
        **{name: _median(_by_prompt(answers, of).values()) for name, of in MEASURES.items()},
        "prompt_tokens_per_s": _prompt_speed(answers, lengths),
        "answer_tokens": sum(len(runs[0].ids) for runs in answers.values()),
        "ratios": {
            kind: _ratios(answers, result.measured.get(own, {})) for kind, own in ours.items()
        },
    }


def _same_tokens(arm: str, reference: str | None, result: ContestResult) -> list[bool]:
    """For each prompt that both answered: whether every answer of this arm is our plain one."""
    plain = result.checked.get(reference or "", {})
    measured = result.measured.get(arm, {})
    return [
        all(plain[prompt].ids == run.ids for run in (answer, *measured.get(prompt, ())))
        for prompt, answer in result.checked.get(arm, {}).items()
        if prompt in plain
    ]


def _prompt_speed(answers: Answers, lengths: Mapping[str, int]) -> float:
    """Prompt tokens per second until the first token came, the median over prompts."""
    first = _by_prompt(answers, MEASURES["ttft_ms"])
    return _median(1000 * lengths[prompt] / ms for prompt, ms in first.items())


def _ratios(answers: Answers, own: Answers) -> Report:
    return {
        name: _ratio(_by_prompt(answers, of), _by_prompt(own, of)) for name, of in MEASURES.items()
    }


def _ratio(theirs: Mapping[str, float], own: Mapping[str, float]) -> Report:
    found = paired_speedup(Pair(name, theirs[name], own[name]) for name in theirs if name in own)
    interval = [round(found.ci95.low, 4), round(found.ci95.high, 4)]
    return {"median": round(found.median, 4), "ci95": interval, "prompts": found.prompts}


def _by_prompt(answers: Answers, measure: Measure) -> dict[str, float]:
    """The median of each prompt's repeats; prompts without such a time are left out."""
    found = {name: _median(map(measure, runs)) for name, runs in answers.items()}
    return {name: value for name, value in found.items() if value > 0}


def _answers(prompt: str, result: ContestResult) -> Report:
    return {
        arm: {name: _median(map(of, answers[prompt])) for name, of in MEASURES.items()}
        | {"tokens": len(answers[prompt][0].ids)}
        for arm, answers in result.measured.items()
        if prompt in answers
    }


def _median(values: Any) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return round(statistics.median(finite), 4) if finite else math.nan
