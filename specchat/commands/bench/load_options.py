"""From the options of `specchat bench load` to what is measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from specchat.bench.load.cell import LoadArm
from specchat.bench.load.faq_conversations import Question, Scenario, faq_scenario, single_turns
from specchat.bench.load.plan import NULL, PLAIN, SPECULATIVE, LoadError, LoadPlan, ablation_arms
from specchat.bench.load.report import KvCapacity
from specchat.bench.prompts import BenchPrompt, PromptsError, read_prompts
from specchat.chat.company.profile import load_company
from specchat.commands import shared

if TYPE_CHECKING:
    from specchat.commands.shared import Encode
    from specchat.loader import LoadedModel

CONVERSATIONS = 100
TURNS = 3

Number = TypeVar("Number", int, float)


def scenario_of(file: Path | None, limit: int | None, company: str | None, seed: int) -> Scenario:
    """The prompts of a file, or conversations made from the company's FAQ."""
    if file is not None:
        return single_turns(read_prompts(file, limit))
    shop = load_company(company)
    questions = [Question(entry.question, entry.answer) for entry in shop.faq]
    turns = min(TURNS, len(questions))
    conversations = CONVERSATIONS if limit is None else max(1, limit // turns)
    return faq_scenario(questions, conversations=conversations, turns=turns, seed=seed)


def capacity_of(loaded: LoadedModel, reserve_tokens: int | None) -> KvCapacity:
    """What the engine's KV cache holds, and what a contiguous request reserves of it.

    Raises:
        LoadError: more would be reserved than a request can have.
    """
    snapshot, context = loaded.engine.snapshot(), loaded.engine.info.context_length
    if reserve_tokens is not None and reserve_tokens > context:
        raise LoadError(
            f"--reserve-tokens must be at most the context of {context}, got {reserve_tokens}"
        )
    return KvCapacity(
        bytes=loaded.options.kv_memory_bytes,
        tokens=snapshot.pages_total * snapshot.page_size,
        pages=snapshot.pages_total,
        page_size=snapshot.page_size,
        context_length=context,
        reserved_tokens=reserve_tokens or context,
    )


def fitting(
    encode: Encode, scenario: Scenario, capacity: KvCapacity, max_tokens: int
) -> tuple[list[BenchPrompt], tuple[tuple[int, ...], ...]]:
    """The prompts as the engine takes them, and the sessions of those that fit every arm.

    Raises:
        PromptsError: none fits.
    """
    room = min(capacity.tokens, capacity.reserved_tokens) - max_tokens
    encoded = shared.encode_each(encode, scenario.prompts, room)
    fits = [isinstance(each, BenchPrompt) and len(each.ids) <= room for each in encoded]
    sessions = [tuple(i for i in session if fits[i]) for session in scenario.sessions]
    kept = tuple(session for session in sessions if session)
    if not kept:
        raise PromptsError(
            f"no prompt fits into {room} tokens beside an answer of {max_tokens}; "
            "raise --kv-memory or lower --max-tokens"
        )
    if not all(fits):
        typer.echo(
            f"{fits.count(False)} of {len(fits)} prompts are left out: with an answer of "
            f"{max_tokens} tokens they do not fit",
            err=True,
        )
    blank = BenchPrompt("", ())
    return [each if isinstance(each, BenchPrompt) else blank for each in encoded], kept


def arms_of(
    loaded: LoadedModel, capacity: KvCapacity, *, ablation: bool, null: bool
) -> tuple[LoadArm, ...]:
    """The ways of serving to compare.

    Raises:
        LoadError: there is no speculator, or no room for a contiguous request.
    """
    if not loaded.engine.info.speculators:
        raise LoadError(
            "a load test compares plain with speculative serving, but no speculator is loaded; "
            "choose one with --speculators"
        )
    arms: tuple[LoadArm, ...] = (PLAIN, SPECULATIVE)
    if ablation:
        arms = ablation_arms(capacity.tokens, capacity.reserved_tokens)
    return (*arms, NULL) if null else arms


def check_users(loaded: LoadedModel, plan: LoadPlan) -> None:
    """Raises a `LoadError` when the engine would refuse some of the users."""
    limits = loaded.options.engine
    most = limits.max_waiting + limits.max_running
    if plan.users and max(plan.users) > most:
        raise LoadError(
            f"--concurrency must be at most {most} (running and waiting), got {max(plan.users)}"
        )


def numbers(name: str, text: str | None, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    """Different positive numbers in increasing order, from `1,2,4`; none of None.

    Raises:
        LoadError: the text is no such list.
    """
    if text is None:
        return ()
    try:
        found = sorted({kind(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] <= 0 or not all(map(math.isfinite, found)):
        raise LoadError(f"{name} must be positive numbers such as 1,2,4, got {text!r}")
    return tuple(found)
