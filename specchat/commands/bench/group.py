"""`specchat bench`: measurements that take a while.

Heavy imports stand inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specchat.commands import shared
from specchat.commands.bench.answers import answers
from specchat.commands.bench.gpu import gpu
from specchat.commands.bench.http import http
from specchat.commands.bench.injections import injections
from specchat.commands.bench.peers import peers
from specchat.commands.bench.speculators import speculators
from specchat.commands.measurement_options import Measured, measuring
from specchat.commands.shared import Limit, Raw

if TYPE_CHECKING:
    from specchat.bench.report import Report

DEFAULT_USERS = "1,2,4,8,16,32"

bench_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Measurements that take a while.",
)


bench_app.command()(answers)
bench_app.command()(gpu)
bench_app.command()(http)
bench_app.command()(injections)
bench_app.command()(peers)
bench_app.command()(speculators)


@bench_app.callback()
def bench() -> None:
    """Measurements that take a while: under load, on a GPU, beside other engines."""


@bench_app.command()
@measuring
def load(
    measured: Measured,
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
    raw: Raw = False,
    slo_ttft_ms: Annotated[float, typer.Option(min=0.1, help="First token within.")] = 1000.0,
    slo_tpot_ms: Annotated[float, typer.Option(min=0.1, help="Each further one within.")] = 50.0,
    limit: Limit = None,
) -> None:
    """Measure plain and speculative serving under load, sent by another process.

    Closed loop: so many users, each with the next question when the last answer is there. Open
    loop: requests that arrive at random whatever the server does. The report is also kept for the
    dashboard.

    --ablation compares, with the same engine and the same KV memory: sequential (one request at a
    time), contiguous (batched, each request holding the whole context or --reserve-tokens, so that
    only so many fit), paged (batched, pages as they are needed), plain (and the prefix cache),
    speculative (and drafts). What does not fit waits in order.
    """
    with shared.explained():
        from specchat.bench.environment import describe_environment
        from specchat.bench.load.plan import LoadPlan, run_load
        from specchat.bench.load.report import LoadSource, load_report
        from specchat.bench.load.text import load_text
        from specchat.commands.bench import load_options as setup
        from specchat.evidence.load import Objective

        arrivals = setup.numbers("--rates", rates, float)
        if concurrency is None and not arrivals:
            concurrency = DEFAULT_USERS
        users = setup.numbers("--concurrency", concurrency, int)
        params = measured.params()
        settings = measured.settings(kv_memory=kv_memory)
        scenario = setup.scenario_of(prompts_file, limit, settings.company, measured.seed)
        with shared.loaded_engine(settings) as loaded:
            capacity = setup.capacity_of(loaded, reserve_tokens)
            arms = setup.arms_of(loaded, capacity, ablation=ablation, null=null)
            with shared.prompt_encoding(loaded, settings, raw=raw) as encode:
                prompts, sessions = setup.fitting(encode, scenario, capacity, measured.max_tokens)
            plan = LoadPlan(
                params, arms, users, arrivals, sessions, seconds, repeats, measured.seed
            )
            setup.check_users(loaded, plan)
            shared.warmed_up(loaded.engine)
            environment = describe_environment(loaded.engine)
            with _cells() as on_cell:
                cells = run_load(loaded.engine, prompts, plan, on_cell)
        used = sum(map(len, sessions))
        name = prompts_file.name if prompts_file else "conversations from the FAQ"
        source = LoadSource(name, used, len(scenario.prompts) - used)
        objective = Objective(slo_ttft_ms, slo_tpot_ms)
        report = load_report(environment, plan, objective, capacity, source, cells)
        measured.publish(report, load_text)
        _keep(report)


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
    from specchat.bench.load.recorded_runs import keep_run

    try:
        typer.echo(f"kept for the dashboard in {keep_run(report)}", err=True)
    except OSError as error:
        typer.echo(f"not kept for the dashboard: {error}", err=True)
