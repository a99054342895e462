"""The `specchat` command. Commands are thin: each reads its options and calls the part it is for.

Heavy imports stand inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from specchat import gc_pauses
from specchat.commands import shared
from specchat.commands.bench.group import bench_app
from specchat.commands.data import data_app
from specchat.commands.knowledge import knowledge_app
from specchat.commands.measurement_options import Measured, measuring, warm_engine
from specchat.commands.shared import (
    AsJson,
    Concurrency,
    Dtype,
    Exact,
    Limit,
    Model,
    PromptsFile,
    Raw,
    Speculators,
    explained,
    fail,
    progress,
)
from specchat.commands.terminal_user import id_file, own_id_or_new
from specchat.settings import Settings, load_settings

if TYPE_CHECKING:
    from specchat.chat.types import AnswerUpdate

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A customer-care chat on a speculative-decoding engine with a paged KV cache.",
)
app.add_typer(bench_app, name="bench")
app.add_typer(data_app, name="data")
app.add_typer(knowledge_app, name="knowledge")


def main() -> None:
    """Entry point of the `specchat` command."""
    app(prog_name="specchat")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    model: Model = None,
    speculators: Speculators = None,
    dtype: Dtype = None,
    engine: Annotated[
        str | None,
        typer.Option(help="local; ray: --replicas of it; openai: tokens come from --base-url."),
    ] = None,
    replicas: Annotated[int | None, typer.Option(help="Engines under Ray Serve.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="An OpenAI-compatible server, such as vLLM's.")
    ] = None,
    plain_base_url: Annotated[
        str | None, typer.Option(help="A second one that does not speculate, for the race.")
    ] = None,
) -> None:
    """Serve the page, which is chat, race and dashboard, and the HTTP API beside it.

    With --engine openai the tokens come from a server; --model says where its tokenizer is, where
    that is not under the name that the server gives it.
    """
    with explained():
        settings = load_settings(
            host=host,
            port=port,
            model=model,
            speculators=speculators,
            dtype=dtype,
            engine=engine,
            replicas=replicas,
            base_url=base_url,
            plain_base_url=plain_base_url,
        )
        with gc_pauses.none():
            from specchat.ui import PortError, launch

        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("specchat").setLevel(logging.INFO)
        try:
            launch(settings)
        except PortError as error:
            fail(f"{error} Or name one with --port.")


@app.command()
def password(
    name: Annotated[str, typer.Argument(help="Who is to sign in.")],
) -> None:
    """Ask for a password and print the line for the file of SPECCHAT_AUTH."""
    with explained():
        from specchat.ui.shared.sign_in import account_line

        typed = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        typer.echo(account_line(name, typed))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What the customer asks.")],
    plain: Annotated[bool, typer.Option("--plain", help="Without speculation.")] = False,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of sampling.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most new tokens.")] = None,
    model: Model = None,
    speculators: Speculators = None,
    as_json: AsJson = False,
) -> None:
    """Answer one question in the terminal, with what speculation saved.

    Question and answer are stored, redacted, as yours: a random id of your system user owns them.
    `specchat data export --mine` shows them and `specchat data delete --mine` erases them.
    """
    with explained(), gc_pauses.none():
        settings = load_settings(
            temperature=temperature,
            max_tokens=max_tokens,
            model=model,
            speculators=speculators,
        )
        last = _answer(settings, question, plain=plain, seed=seed, echo=not as_json)
        if as_json:
            typer.echo(_answer_json(last))
        else:
            typer.echo(f"\n{_footer(last)}")
        if last.status != "completed":
            raise typer.Exit(1)


@app.command()
@measuring
def race(
    measured: Measured,
    prompts_file: PromptsFile,
    limit: Limit = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each arm per prompt.")] = 3,
    concurrency: Concurrency = 1,
    exact: Exact = False,
    raw: Raw = False,
    null: Annotated[bool, typer.Option("--null", help="Plain against plain: the noise.")] = False,
) -> None:
    """Measure each prompt plain and speculative on one engine, interleaved in random order."""
    with explained():
        params = measured.params()
        warm = warm_engine(prompts_file, limit, measured, exact=exact, raw=raw)
        with warm as (engine, prompts):
            from specchat.bench.environment import describe_environment
            from specchat.bench.race_series import RacePlan, run_race
            from specchat.bench.report import race_report, race_text

            plan = RacePlan(params, repeats, concurrency, null)
            environment = describe_environment(engine)
            with progress("race", 2 * repeats * len(prompts)) as advance:
                pairs = run_race(engine, prompts, plan, advance)
            report = race_report(environment, plan, pairs, prompts_file.name)
            measured.publish(report, race_text)


@app.command()
@measuring
def audit(
    measured: Measured,
    prompts_file: PromptsFile,
    limit: Limit = None,
    concurrency: Concurrency = 1,
    exact: Exact = False,
    raw: Raw = False,
) -> None:
    """Compare plain and speculative answers token for token; exit 1 if one is no rounding tie."""
    with explained():
        params = measured.params()
        warm = warm_engine(prompts_file, limit, measured, exact=exact, raw=raw)
        with warm as (engine, prompts):
            from specchat.bench.audit import run_audit
            from specchat.bench.environment import describe_environment
            from specchat.bench.report import audit_report, audit_text

            environment = describe_environment(engine)
            with progress("audit", len(prompts)) as advance:
                result = run_audit(
                    engine, prompts, params, concurrency=concurrency, on_progress=advance
                )
            report = audit_report(environment, params, result, prompts_file.name)
            measured.publish(report, audit_text)
        if not result.lossless:
            raise typer.Exit(1)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def train(context: typer.Context) -> None:
    """Train the bundled model family: corpus, tokenizer, target, speculators; resumable."""
    from specchat.commands.train.group import train_app

    train_app(context.args, prog_name="specchat train")


def _answer(
    settings: Settings, question: str, *, plain: bool, seed: int | None, echo: bool
) -> AnswerUpdate:
    """Streams the answer to the terminal (when `echo`) and returns its last state."""
    from specchat.chat.company.profile import load_company
    from specchat.chat.types import AnswerOptions
    from storage import open_store

    company = load_company(settings.company)
    with open_store(settings.database_url) as store, shared.loaded_engine(settings) as loaded:
        service = shared.chat_service(loaded, store, company)
        shared.await_native_step(loaded.engine)
        options = AnswerOptions(
            mode="plain" if plain else "speculative",
            temperature=settings.temperature,
            seed=seed,
            max_tokens=settings.max_tokens,
        )
        owner = _owner()
        conversation = service.new_conversation(owner)
        shown, last = "", None
        for last in service.answer(conversation, question, owner=owner, options=options):
            if echo and last.text.startswith(shown):
                typer.echo(last.text.removeprefix(shown), nl=False)
            elif echo:  # it was checked and another text is in its place
                typer.echo(f"\n\n{last.text}", nl=False)
            shown = last.text
        assert last is not None
        return last


def _owner() -> str:
    """Whose the answer is: this system user's, or nobody's known where no id can be kept."""
    try:
        return own_id_or_new()
    except OSError as error:
        owner = secrets.token_hex(16)
        typer.echo(
            f"{id_file()}: {error.strerror}. This answer is stored as owner {owner}.", err=True
        )
        return owner


def _answer_json(last: AnswerUpdate) -> str:
    stats = asdict(last.stats) if last.stats else None
    return json.dumps(
        {
            "status": last.status,
            "answer": last.text,
            "notes": last.notes,
            "sources": [source.title for source in last.sources],
            "grounds": asdict(last.grounds) if last.grounds else None,
            "stats": stats,
        },
        indent=2,
        ensure_ascii=False,
    )


def _footer(last: AnswerUpdate) -> str:
    stats = last.stats
    if stats is None:
        return last.status
    parts = [f"{stats.tokens_per_second:.0f} tok/s", f"{stats.completion_tokens} tokens"]
    if stats.drafted:
        parts.append(f"τ {stats.mean_acceptance_length:.1f}")
        parts.append(f"{stats.draft_acceptance_rate:.0%} drafts accepted")
    parts.append(f"TTFT {stats.ttft_ms:.0f} ms")
    sources = ["Sources: " + "; ".join(each.title for each in last.sources)] if last.sources else []
    return "\n".join([*last.notes, *sources, " · ".join(parts)])
