"""The `specchat` command. Commands are thin: each reads its options and calls the part it is for.

Heavy imports stand inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from specchat.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from specchat.bench.prompts import BenchPrompt, Prompt
    from specchat.bench.prompts import Message as PromptMessage
    from specchat.chat.parts import Message
    from specchat.chat.types import AnswerUpdate
    from specchat.engine.engine import Engine
    from specchat.engine.request import SamplingParams
    from specchat.loader import LoadedModel

USER_ERROR = 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A customer-care chat on a speculative-decoding engine with a paged KV cache.",
)

Model = Annotated[str | None, typer.Option(help="'care' (bundled), a directory or a Hub name.")]
Speculators = Annotated[
    str | None, typer.Option(help="Comma-separated: mlp, ngram, suffix, mlp:PATH; or 'none'.")
]
Dtype = Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")]
Temperature = Annotated[float, typer.Option(help="0 is greedy.")]
Seed = Annotated[int, typer.Option(help="Seed of sampling and of the order of runs.")]
MaxTokens = Annotated[int, typer.Option(help="Most new tokens of an answer.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Take the first N prompts only.")]
Concurrency = Annotated[int, typer.Option(min=1, help="Requests of one arm in flight together.")]
Out = Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
PromptsFile = Annotated[Path, typer.Argument(metavar="PROMPTS.jsonl", help="One JSON a line.")]


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
) -> None:
    """Serve the page: chat, race and dashboard."""
    with _explained():
        settings = load_settings(
            host=host, port=port, model=model, speculators=speculators, dtype=dtype
        )
        from specchat.ui import PortError, launch

        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        try:
            launch(settings)
        except PortError as error:
            _fail(f"{error} Or name one with --port.")


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
    """Answer one question in the terminal, with what speculation saved."""
    with _explained():
        settings = load_settings(
            temperature=temperature, max_tokens=max_tokens, model=model, speculators=speculators
        )
        last = _answer(settings, question, plain=plain, seed=seed, echo=not as_json)
        if as_json:
            typer.echo(_answer_json(last))
        else:
            typer.echo(f"\n{_footer(last)}")
        if last.status != "completed":
            raise typer.Exit(1)


@app.command()
def race(
    prompts_file: PromptsFile,
    limit: Limit = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each arm per prompt.")] = 3,
    concurrency: Concurrency = 1,
    max_tokens: MaxTokens = 128,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    model: Model = None,
    speculators: Speculators = None,
    dtype: Dtype = None,
    null: Annotated[bool, typer.Option("--null", help="Plain against plain: the noise.")] = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Measure each prompt plain and speculative on one engine, interleaved in random order."""
    with _explained():
        params = _params(max_tokens, temperature, seed)
        warm = _bench(prompts_file, limit, out, model, speculators, dtype, max_tokens)
        with warm as (engine, prompts):
            from specchat.bench.environment import describe_environment
            from specchat.bench.measure import RacePlan, run_race
            from specchat.bench.report import race_report, race_text

            plan = RacePlan(params, repeats, concurrency, null)
            environment = describe_environment(engine)
            with _progress("race", 2 * repeats * len(prompts)) as advance:
                pairs = run_race(engine, prompts, plan, advance)
            report = race_report(environment, plan, pairs, prompts_file.name)
            _publish(report, race_text, out, as_json)


@app.command()
def audit(
    prompts_file: PromptsFile,
    limit: Limit = None,
    concurrency: Concurrency = 1,
    max_tokens: MaxTokens = 128,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    model: Model = None,
    speculators: Speculators = None,
    dtype: Dtype = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compare plain and speculative answers token for token; exit 1 if one is no rounding tie."""
    with _explained():
        params = _params(max_tokens, temperature, seed)
        warm = _bench(prompts_file, limit, out, model, speculators, dtype, max_tokens)
        with warm as (engine, prompts):
            from specchat.bench.audit import run_audit
            from specchat.bench.environment import describe_environment
            from specchat.bench.report import audit_report, audit_text

            environment = describe_environment(engine)
            with _progress("audit", len(prompts)) as advance:
                result = run_audit(
                    engine, prompts, params, concurrency=concurrency, on_progress=advance
                )
            report = audit_report(environment, params, result, prompts_file.name)
            _publish(report, audit_text, out, as_json)
        if not result.lossless:
            raise typer.Exit(1)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def train(context: typer.Context) -> None:
    """Train the bundled model family: corpus, tokenizer, target, speculators; resumable."""
    from specchat.training.cli import train_app

    train_app(context.args, prog_name="specchat train")


def _answer(
    settings: Settings, question: str, *, plain: bool, seed: int | None, echo: bool
) -> AnswerUpdate:
    """Streams the answer to the terminal (when `echo`) and returns its last state."""
    from specchat.chat.company import load_company
    from specchat.chat.service import ChatService
    from specchat.chat.types import AnswerOptions
    from storage import open_store

    company = load_company(settings.company)
    with open_store(settings.database_url) as store, _loaded(settings) as loaded:
        service = ChatService(loaded, store, company)
        options = AnswerOptions(
            mode="plain" if plain else "speculative",
            temperature=settings.temperature,
            seed=seed,
            max_tokens=settings.max_tokens,
        )
        conversation = service.new_conversation(owner="terminal")
        shown, last = "", None
        for last in service.answer(conversation, question, owner="terminal", options=options):
            if echo:
                typer.echo(last.text.removeprefix(shown), nl=False)
                shown = last.text
        assert last is not None
        return last


def _answer_json(last: AnswerUpdate) -> str:
    stats = asdict(last.stats) if last.stats else None
    return json.dumps(
        {"status": last.status, "answer": last.text, "notes": last.notes, "stats": stats},
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
    return "\n".join([*last.notes, " · ".join(parts)])


@contextmanager
def _bench(
    prompts_file: Path,
    limit: int | None,
    out: Path | None,
    model: str | None,
    speculators: str | None,
    dtype: str | None,
    max_tokens: int,
) -> Iterator[tuple[Engine, list[BenchPrompt]]]:
    """A warm engine and the encoded prompts; what can be wrong is found before the model loads."""
    settings = load_settings(model=model, speculators=speculators, dtype=dtype)
    from specchat.bench.measure import wait_until_ready
    from specchat.bench.prompts import read_prompts
    from specchat.bench.report import check_writable

    prompts = read_prompts(prompts_file, limit)
    if out is not None:
        check_writable(out)
    with _loaded(settings) as loaded:
        encoded = _encoded(loaded, prompts, max_tokens)
        if not wait_until_ready(loaded.engine, on_wait=_changes("warming up")):
            backend = loaded.engine.snapshot().backend
            typer.echo(f"not warm in time, measuring as it is: {backend}", err=True)
        yield loaded.engine, encoded


@contextmanager
def _loaded(settings: Settings) -> Iterator[LoadedModel]:
    from specchat.loader import load

    loaded = load(settings.load_options())
    try:
        yield loaded
    finally:
        loaded.engine.close()


def _encoded(loaded: LoadedModel, prompts: Sequence[Prompt], max_tokens: int) -> list[BenchPrompt]:
    """Prompt ids as the chat makes them; whatever does not fit the context is said."""
    from specchat.bench.prompts import BenchPrompt, PromptsError
    from specchat.chat.prompt import PromptBuilder
    from specchat.chat.types import ChatError

    builder = PromptBuilder(loaded.tokenizer)
    budget = loaded.engine.info.context_length - max_tokens
    encoded = []
    for prompt in prompts:
        messages = [_chat_message(message, loaded.uses_slots) for message in prompt.messages]
        try:
            build = builder.build(messages, context_budget=budget)
        except ChatError as error:
            raise PromptsError(f"prompt {prompt.prompt_id!r}: {error}") from None
        encoded.append(BenchPrompt(prompt.prompt_id, build.ids))
    return encoded


def _chat_message(message: PromptMessage, uses_slots: bool) -> Message:
    """As the chat would pass it on: `{{slot}}` in a prompts file is a slot of the bundled model."""
    from specchat.chat.parts import Message, Slot
    from specchat.chat.rewrite import rewrite_input
    from specchat.chat.slots_vocab import SLOTS

    if not uses_slots:
        return Message.of(message.role, message.content)
    pieces = re.split(rf"\{{\{{({'|'.join(SLOTS)})\}}\}}", message.content)
    if len(pieces) == 1 and message.role == "user":
        return Message(message.role, rewrite_input(message.content).parts)
    parts = (Slot(piece) if index % 2 else piece for index, piece in enumerate(pieces))
    return Message(message.role, tuple(part for part in parts if part))


def _changes(label: str) -> Callable[[str], None]:
    """Says a state on stderr whenever it differs from the one before."""
    said: list[str] = []

    def say(state: str) -> None:
        if said[-1:] != [state]:
            said.append(state)
            typer.echo(f"{label}: {state}", err=True)

    return say


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr; the callback is told how many are done."""
    from tqdm import tqdm

    with tqdm(total=total, desc=label, file=sys.stderr, unit="") as bar:

        def advance(done: int, total: int) -> None:
            bar.update(done - bar.n)

        yield advance


def _publish(
    report: dict[str, Any],
    as_text: Callable[[dict[str, Any]], str],
    out: Path | None,
    as_json: bool,
) -> None:
    from specchat.bench.report import to_json, write_report

    typer.echo(to_json(report) if as_json else as_text(report))
    if out is not None:
        write_report(out, report)
        typer.echo(f"written to {out}", err=True)


def _params(max_tokens: int, temperature: float, seed: int) -> SamplingParams:
    from specchat.engine.request import SamplingParams

    return SamplingParams(max_tokens=max_tokens, temperature=temperature, seed=seed)


@contextmanager
def _explained() -> Iterator[None]:
    """What the user did wrong ends the command with one message and exit code 2."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:
        if not isinstance(error, _user_errors()):
            raise
        _fail(str(error))


def _user_errors() -> tuple[type[Exception], ...]:
    from specchat.bench.prompts import PromptsError
    from specchat.bench.report import ReportError
    from specchat.chat.company import CompanyError
    from specchat.chat.types import ChatError
    from specchat.engine.errors import ModelLoadError, QueueFullError, RequestError
    from storage.errors import StoreError

    return (
        SettingsError,
        PromptsError,
        ReportError,
        CompanyError,
        ChatError,
        ModelLoadError,
        QueueFullError,
        RequestError,
        StoreError,
    )


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(USER_ERROR)
