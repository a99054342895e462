"""`specchat bench`: measurements that take a while.

Heavy imports stand inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from specchat import console
from specchat.console import AsJson, Dtype, MaxTokens, Model, Out, Seed, Speculators, Temperature
from specchat.settings import load_settings

if TYPE_CHECKING:
    from specchat.bench.load import LoadPlan
    from specchat.bench.load_cell import LoadArm
    from specchat.bench.load_report import KvCapacity
    from specchat.bench.prompts import BenchPrompt
    from specchat.bench.report import Report
    from specchat.bench.scenarios import Scenario
    from specchat.loader import LoadedModel

CONVERSATIONS = 200
TURNS = 3
DEFAULT_USERS = "1,2,4,8,16,32"

Number = TypeVar("Number", int, float)

bench_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Measurements that take a while.",
)


@bench_app.callback()
def bench() -> None:
    """Measurements that take a while: under load, on a GPU."""


@bench_app.command()
def load(
    prompts_file: Annotated[
        Path | None,
        typer.Argument(metavar="[PROMPTS.jsonl]", help="Default: conversations from the FAQ."),
    ] = None,
    concurrency: Annotated[
        str | None, typer.Option(help=f"Closed loop: users, {DEFAULT_USERS} if no rates.")
    ] = None,
    rates: Annotated[
        str | None, typer.Option(help="Open loop: Poisson arrivals per second, such as 1,2,4.")
    ] = None,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="From one at a time, one part after the other.")
    ] = False,
    null: Annotated[bool, typer.Option("--null", help="Plain once more: the noise.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each window.")] = 4.0,
    repeats: Annotated[int, typer.Option(min=1, help="Windows of each arm and load.")] = 3,
    kv_memory: Annotated[str | None, typer.Option(help="KV cache of every arm: 64MiB.")] = None,
    reserve_tokens: Annotated[
        int | None, typer.Option(min=1, help="Held by a contiguous request; default: the context.")
    ] = None,
    slo_ttft_ms: Annotated[float, typer.Option(min=0.1, help="First token within.")] = 1000.0,
    slo_tpot_ms: Annotated[float, typer.Option(min=0.1, help="Each further one within.")] = 50.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Take the first N prompts only.")] = None,
    max_tokens: MaxTokens = 128,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    model: Model = None,
    speculators: Speculators = None,
    dtype: Dtype = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Measure plain and speculative serving under load, sent by another process.

    Closed loop: so many users, each with the next question when the last answer is there. Open
    loop: requests that arrive at random whatever the server does. The report is also kept for the
    dashboard.
    """
    with console.explained():
        users = _numbers("--concurrency", concurrency, int)
        arrivals = _numbers("--rates", rates, float)
        if not users and not arrivals:
            users = _numbers("--concurrency", DEFAULT_USERS, int)
        params = console.sampling_params(max_tokens, temperature, seed)
        settings = load_settings(
            model=model, speculators=speculators, dtype=dtype, kv_memory=kv_memory
        )
        scenario = _scenario(prompts_file, limit, settings.company, seed)
        if out is not None:
            from specchat.bench.report import check_writable

            check_writable(out)
        with console.loaded_engine(settings) as loaded:
            from specchat.bench.environment import describe_environment
            from specchat.bench.load import LoadPlan, run_load
            from specchat.bench.load_report import LoadSource, load_report
            from specchat.bench.load_text import load_text
            from specchat.evidence.load import Objective

            capacity = _capacity(loaded, reserve_tokens)
            arms = _arms(loaded, capacity, ablation=ablation, null=null)
            prompts, sessions = _fitting(loaded, scenario, capacity, max_tokens)
            plan = LoadPlan(
                params=params,
                arms=arms,
                users=users,
                rates=arrivals,
                sessions=sessions,
                seconds=seconds,
                repeats=repeats,
                seed=seed,
            )
            _check_users(loaded, plan)
            console.warmed_up(loaded.engine)
            environment = describe_environment(loaded.engine)
            with _cells() as on_cell:
                cells = run_load(loaded.engine, prompts, plan, on_cell)
            left_out = len(scenario.prompts) - sum(map(len, sessions))
            name = prompts_file.name if prompts_file else "conversations from the FAQ"
            source = LoadSource(name, sum(map(len, sessions)), left_out)
            objective = Objective(slo_ttft_ms, slo_tpot_ms)
            report = load_report(environment, plan, objective, capacity, source, cells)
        console.publish(report, load_text, out, as_json)
        _keep(report)


def _scenario(file: Path | None, limit: int | None, company: str | None, seed: int) -> Scenario:
    """The prompts of a file, or conversations made from the company's FAQ."""
    from specchat.bench.prompts import read_prompts
    from specchat.bench.scenarios import Question, faq_scenario, single_turns

    if file is not None:
        return single_turns(read_prompts(file, limit))
    from specchat.chat.company import load_company
    from specchat.chat.grounding import system_messages

    shop = load_company(company)
    questions = [Question(entry.question, entry.answer) for entry in shop.faq]
    turns = min(TURNS, len(questions))
    conversations = CONVERSATIONS if limit is None else max(1, limit // turns)
    # As in the chat; the template of the bundled model leaves system messages out.
    parts = next(system_messages(shop)).parts
    system = "".join(part for part in parts if isinstance(part, str))
    return faq_scenario(
        questions, conversations=conversations, turns=turns, seed=seed, system=system
    )


def _capacity(loaded: LoadedModel, reserve_tokens: int | None) -> KvCapacity:
    from specchat.bench.load import LoadError
    from specchat.bench.load_report import KvCapacity

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


def _fitting(
    loaded: LoadedModel, scenario: Scenario, capacity: KvCapacity, max_tokens: int
) -> tuple[list[BenchPrompt], tuple[tuple[int, ...], ...]]:
    """The prompts as the engine takes them, and the sessions of those that fit every arm."""
    from specchat.bench.prompts import BenchPrompt, PromptsError

    room = min(capacity.tokens, capacity.reserved_tokens) - max_tokens
    encoded = console.encode_each(loaded, scenario.prompts, room)
    fits = [isinstance(each, BenchPrompt) for each in encoded]
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


def _arms(
    loaded: LoadedModel, capacity: KvCapacity, *, ablation: bool, null: bool
) -> tuple[LoadArm, ...]:
    from specchat.bench import load as parts

    if not loaded.engine.info.speculators:
        raise parts.LoadError(
            "a load test compares plain with speculative serving, but no speculator is loaded; "
            "choose one with --speculators"
        )
    arms: tuple[LoadArm, ...] = (parts.PLAIN, parts.SPECULATIVE)
    if ablation:
        arms = parts.ablation_arms(capacity.tokens, capacity.reserved_tokens)
    return (*arms, parts.NULL) if null else arms


def _check_users(loaded: LoadedModel, plan: LoadPlan) -> None:
    from specchat.bench.load import LoadError

    most = loaded.options.max_waiting + loaded.options.max_running
    if plan.users and max(plan.users) > most:
        raise LoadError(
            f"--concurrency must be at most {most} (running and waiting), got {max(plan.users)}"
        )


def _numbers(name: str, text: str | None, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    """Different positive numbers in increasing order, from `1,2,4`."""
    from specchat.bench.load import LoadError

    if text is None:
        return ()
    try:
        found = sorted({kind(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] <= 0 or not all(map(math.isfinite, found)):
        raise LoadError(f"{name} must be positive numbers such as 1,2,4, got {text!r}")
    return tuple(found)


@contextmanager
def _cells() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on stderr that also says what is measured."""
    from tqdm import tqdm

    with tqdm(total=0, desc="load", unit="cell", leave=False) as bar:

        def advance(done: int, total: int, what: str) -> None:
            bar.total = total
            bar.set_postfix_str(what, refresh=False)
            bar.update(done - bar.n)
            bar.refresh()

        yield advance


def _keep(report: Report) -> None:
    from specchat.bench.runs import keep_run

    try:
        typer.echo(f"kept for the dashboard in {keep_run(report)}", err=True)
    except OSError as error:
        typer.echo(f"not kept for the dashboard: {error}", err=True)
