"""Every speculator alone, all of them merged, and the policy as shipped, on the same prompts.

One engine runs all arms: each request names the speculators that may draft for it. The arms of a
prompt follow each other in random order, so that whatever the machine does happens to all of them.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from specchat.bench.arms import arm_request, run_together
from specchat.bench.environment import Environment
from specchat.bench.prompts import BenchPrompt
from specchat.bench.report import Report, where
from specchat.engine.request import SamplingParams, TurnStats
from specchat.evidence import Pair, paired_speedup

if TYPE_CHECKING:
    from specchat.engine.engine import Engine

KIND = "speculators"
PLAIN, MERGED, POLICY = "plain", "merged", "policy"
WARM_UP_PROMPTS = 4
_SALT = "bench"
_MOST_DEPTHS = 24


@dataclass(frozen=True, slots=True)
class DraftingArm:
    """One way to draft."""

    name: str
    speculators: tuple[str, ...]  # that may draft; none is plain decoding
    adaptive: bool = True  # where it pays; else at every step as much as there is room for
    history: int | None = None  # earlier answers that are drafted from, where that is compared

    def params(self, params: SamplingParams) -> SamplingParams:
        """The sampling of a request of this arm."""
        return replace(params, speculators=self.speculators, adaptive=self.adaptive)


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One answer of one arm."""

    prompt_id: str
    tokens: tuple[int, ...]
    stats: TurnStats


Runs = Mapping[str, list[MeasuredRun]]
"""By the arm's name."""


def drafting_arms(speculators: Sequence[str]) -> tuple[DraftingArm, ...]:
    """Plain decoding, each speculator alone, all merged at every step, and the policy."""
    names = tuple(speculators)
    alone = tuple(DraftingArm(name, (name,)) for name in names)
    merged = (DraftingArm(MERGED, names, adaptive=False),) if len(names) > 1 else ()
    return (DraftingArm(PLAIN, ()), *alone, *merged, DraftingArm(POLICY, names))


def history_arms(speculators: Sequence[str], sizes: Sequence[int]) -> tuple[DraftingArm, ...]:
    """Plain decoding; and for each size of the history its speculator alone, and with the others
    that are there whatever the history is."""
    others = tuple(name for name in speculators if not name.startswith("suffix"))
    arms = [DraftingArm(PLAIN, ())]
    for size in sizes:
        store = f"suffix@{size}"
        if size:
            arms.append(DraftingArm(f"{store} alone", (store,), history=size))
        arms.append(DraftingArm(f"{store} with the others", (*others, store), history=size))
    return tuple(arms)


def run_arms(
    engine: Engine,
    prompts: Sequence[BenchPrompt],
    arms: Sequence[DraftingArm],
    params: SamplingParams,
    repeats: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Runs:
    """Measures every prompt `repeats` times in each arm, after a warm-up that is not counted.

    Prompt i is sampled with seed + i in all arms. `on_progress` is told how many answers are done,
    and of how many.

    Raises:
        EngineError: a request was refused or ended early.
    """
    rng = random.Random(params.seed)
    rounds = [range(min(WARM_UP_PROMPTS, len(prompts)))]
    rounds += [range(len(prompts))] * repeats
    runs: dict[str, list[MeasuredRun]] = {arm.name: [] for arm in arms}
    done, total = 0, len(arms) * sum(map(len, rounds))
    for number, group in enumerate(rounds):
        for index in rng.sample(group, len(group)):
            for arm in rng.sample(list(arms), len(arms)):
                run = _run(engine, prompts[index], arm, replace(params, seed=params.seed + index))
                if number:
                    runs[arm.name].append(run)
                done += 1
                on_progress(done, total)
    return runs


def _run(
    engine: Engine, prompt: BenchPrompt, arm: DraftingArm, params: SamplingParams
) -> MeasuredRun:
    speculate = bool(arm.speculators)
    request = arm_request(prompt.ids, arm.params(params), speculate=speculate, salt=_SALT)
    (result,) = run_together(engine, [request])
    return MeasuredRun(prompt.prompt_id, result.token_ids, result.stats)


def speculators_report(
    environment: Environment,
    arms: Sequence[DraftingArm],
    params: SamplingParams,
    repeats: int,
    source: str,
    runs: Runs,
) -> Report:
    """The report of `specchat bench speculators`, times in milliseconds."""
    plain = _typical(runs[PLAIN])
    return {
        "kind": KIND,
        "environment": asdict(environment),
        "settings": {
            "prompts": source,
            "count": len(plain),
            "repeats": repeats,
            "max_tokens": params.max_tokens,
            "temperature": params.temperature,
            "seed": params.seed,
        },
        "arms": [_arm(arm, runs[arm.name], plain) for arm in arms],
    }


def speculators_text(report: Report) -> str:
    """A report for a person."""
    settings = report["settings"]
    head = (
        f"{'arm':28} {'tokens/step':>11} {'nodes':>6} {'draft ms':>9} {'verify ms':>9} "
        f"{'TPOT ms':>8}  speedup (95 %)"
    )
    rows = [head, *map(_row, report["arms"])]
    note = (
        f"{settings['count']} prompts x {settings['repeats']}, at most {settings['max_tokens']} "
        f"tokens, temperature {settings['temperature']:g}"
    )
    return "\n".join([*rows, note, where(report["environment"])])


def _row(arm: dict[str, Any]) -> str:
    low, high = arm["speedup"]["ci95"]
    shown = f"{arm['speedup']['median']:.2f}x [{low:.2f}, {high:.2f}]" if arm["drafts"] else "1"
    return (
        f"{arm['name']:28} {arm['mean_acceptance_length']:11.2f} {arm['nodes_per_step']:6.1f} "
        f"{arm['draft_ms_per_step']:9.3f} {arm['verify_ms_per_step']:9.3f} "
        f"{arm['tpot_ms']:8.3f}  {shown}"
    )


def _arm(
    arm: DraftingArm, runs: Sequence[MeasuredRun], plain: Mapping[str, MeasuredRun]
) -> dict[str, Any]:
    every = [run.stats for run in runs]
    steps = sum(stats.steps for stats in every) or 1
    typical = _typical(runs)
    times = {name: run.stats.tpot_ms for name, run in typical.items()}
    accepted, drafted = sum(s.accepted for s in every), sum(s.drafted for s in every)
    return {
        "name": arm.name,
        "speculators": list(arm.speculators),
        "adaptive": arm.adaptive,
        "history": arm.history,
        "drafts": bool(arm.speculators),
        "mean_acceptance_length": round(1 + accepted / steps, 4),
        "nodes_per_step": round(drafted / steps, 3),
        "draft_ms_per_step": _per_step(every, [s.draft_ms for s in every]),
        "verify_ms_per_step": _per_step(every, [s.verify_ms for s in every]),
        "tpot_ms": round(statistics.median(_usable(times.values())), 4),
        "speedup": _speedup(typical, plain),
        "identical": sum(run.tokens == plain[name].tokens for name, run in typical.items()),
        "steps": sum(s.steps for s in every),
        "plain_steps": sum(s.plain_steps for s in every),
        "drafted_by_source": _summed(s.drafted_by_source for s in every),
        "accepted_by_source": _summed(s.accepted_by_source for s in every),
        "asked_by_speculator": _summed(s.asked_by_speculator for s in every),
        "draft_ms_by_speculator": _summed(s.draft_ms_by_speculator for s in every),
        "drafted_by_depth": _by_depth([s.drafted_by_depth for s in every]),
        "accepted_by_depth": _by_depth([s.accepted_by_depth for s in every]),
    }


def _speedup(
    typical: Mapping[str, MeasuredRun], plain: Mapping[str, MeasuredRun]
) -> dict[str, Any]:
    pairs = [
        Pair(name, plain[name].stats.tpot_ms, run.stats.tpot_ms) for name, run in typical.items()
    ]
    found = paired_speedup(p for p in pairs if len(_usable((p.plain_ms, p.speculative_ms))) == 2)
    interval = [round(found.ci95.low, 4), round(found.ci95.high, 4)]
    return {"median": round(found.median, 4), "ci95": interval}


def _typical(runs: Sequence[MeasuredRun]) -> dict[str, MeasuredRun]:
    """By prompt the run of the (lower) median time."""
    by_prompt: dict[str, list[MeasuredRun]] = {}
    for run in runs:
        by_prompt.setdefault(run.prompt_id, []).append(run)
    return {
        name: sorted(own, key=lambda run: run.stats.e2e_ms)[(len(own) - 1) // 2]
        for name, own in by_prompt.items()
    }


def _per_step(every: Sequence[TurnStats], spent_ms: Sequence[float]) -> float:
    """Median over the answers, so that one interruption does not count."""
    known = [ms / stats.steps for ms, stats in zip(spent_ms, every, strict=True) if stats.steps]
    return round(statistics.median(known), 4) if known else math.nan


def _usable(times: Any) -> list[float]:
    return [ms for ms in times if math.isfinite(ms) and ms > 0] or [math.nan]


def _summed(counts: Any) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in counts:
        for name, value in each.items():
            total[name] = round(total.get(name, 0) + value, 3)
    return total


def _by_depth(counts: Sequence[Sequence[int]]) -> list[int]:
    deepest = min(_MOST_DEPTHS, max(map(len, counts), default=0))
    return [sum(each[d] for each in counts if d < len(each)) for d in range(deepest)]
