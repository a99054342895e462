"""What the commands share: options, an engine, progress and clear errors."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from specchat import gc_pauses
from specchat.settings import Settings, SettingsError

if TYPE_CHECKING:
    from specchat.bench.prompts import BenchPrompt, Prompt, PromptsError
    from specchat.chat.answer.prompt import PromptBuild
    from specchat.chat.company.profile import Company
    from specchat.chat.service import ChatService
    from specchat.engine.engine import Engine
    from specchat.loader import LoadedModel
    from storage import Store

USER_ERROR = 2
NATIVE_STEP_S = 3.0
"""That one answer waits for the native step at most: it is there in half of that, unless its
library is built first, which is once."""

Model = Annotated[
    str | None, typer.Option(help="'care' (bundled), a directory, a .gguf file or a Hub name.")
]
Speculators = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated: mlp, medusa, eagle3, draft (alone or with :PATH), suffix, ngram; "
        "or 'none'."
    ),
]
Dtype = Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")]
Exact = Annotated[
    bool, typer.Option("--exact", help="Pad plain steps so that the same kernels run.")
]
Temperature = Annotated[float, typer.Option(help="0 is greedy.")]
Seed = Annotated[int, typer.Option(help="Seed of sampling and of the order of runs.")]
MaxTokens = Annotated[int, typer.Option(help="Most new tokens of an answer.")]
Raw = Annotated[bool, typer.Option("--raw", help="Prompts as they are, without help pages.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Take the first N prompts only.")]
Concurrency = Annotated[int, typer.Option(min=1, help="Requests of one arm in flight together.")]
Out = Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
PromptsFile = Annotated[Path, typer.Argument(metavar="PROMPTS.jsonl", help="One JSON a line.")]


def warmed_up(engine: Engine) -> None:
    """Wait until the engine runs on its final backend and nothing of the start is left to do; say
    so when that takes too long."""
    from specchat.bench.race_series import wait_until_ready

    if not wait_until_ready(engine, on_wait=changes("warming up")):
        backend = engine.snapshot().backend
        typer.echo(f"not warm in time, measuring as it is: {backend}", err=True)
    gc_pauses.shorten()


def await_native_step(engine: Engine) -> None:
    """Wait a moment until steps run natively: an answer that shares the processors with whoever
    brings that about takes longer."""
    deadline = time.monotonic() + NATIVE_STEP_S
    while time.monotonic() < deadline:
        snapshot = engine.snapshot()
        if snapshot.ready or snapshot.backend == "native":
            return
        time.sleep(0.02)


@contextmanager
def loaded_engine(settings: Settings) -> Iterator[LoadedModel]:
    """The settings' model on a running engine, closed afterwards.

    Raises:
        SettingsError: the tokens are to come from a server.
    """
    from specchat.engine.model.lean_imports import import_transformers

    import_transformers()
    from specchat.loader import load

    if settings.engine != "local":
        raise SettingsError("this command runs our own engine: leave SPECCHAT_ENGINE at 'local'")

    loaded = load(settings.load_options())
    try:
        yield loaded
    finally:
        loaded.engine.close()


def chat_service(loaded: LoadedModel, store: Store, company: Company) -> ChatService:
    """The chat as the app composes it; what is amiss with its knowledge is said on stderr."""
    from specchat.chat.knowledge.loading import load_knowledge
    from specchat.chat.service import ChatService

    if loaded.uses_slots:  # reads no pages
        return ChatService(loaded, store, company)
    found = load_knowledge(store, company)
    for problem in found.problems:
        typer.echo(problem, err=True)
    return ChatService(loaded, store, company, knowledge=found.knowledge)


Encode = Callable[["Prompt", int], "PromptBuild"]
"""A prompt as the engine takes it, in at most so many tokens. Raises ChatError."""


@contextmanager
def prompt_encoding(loaded: LoadedModel, settings: Settings, *, raw: bool) -> Iterator[Encode]:
    """How prompts are made: as the chat makes them, with the pages of the settings' company, or as
    they are where `raw` says so, the model has never read a page, or a prompt brings a system
    message of its own."""
    from specchat.chat.answer.prompt import PromptBuilder
    from specchat.chat.knowledge import Exchange
    from specchat.chat.slots.written_message import written_message

    builder, context = PromptBuilder(loaded.tokenizer), loaded.engine.info.context_length

    def as_it_is(prompt: Prompt, budget: int) -> PromptBuild:
        messages = [written_message(m.role, m.content, loaded.uses_slots) for m in prompt.messages]
        return builder.build(messages, context_budget=budget)

    if raw or loaded.uses_slots:
        yield as_it_is
        return

    from specchat.chat.company.profile import load_company
    from storage import open_store

    with open_store(settings.database_url) as store:
        service = chat_service(loaded, store, load_company(settings.company))

        def as_the_chat(prompt: Prompt, budget: int) -> PromptBuild:
            turns = prompt.messages
            if any(turn.role == "system" for turn in turns) or len(turns) % 2 == 0:
                return as_it_is(prompt, budget)
            pairs = zip(turns[::2], turns[1::2], strict=False)
            earlier = [Exchange(asked.content, said.content) for asked, said in pairs]
            return service.prompt_for(turns[-1].content, context - budget, earlier)

        yield as_the_chat


def encode_prompts(encode: Encode, prompts: Sequence[Prompt], budget: int) -> list[BenchPrompt]:
    """The prompts as the engine takes them.

    Raises:
        PromptsError: a prompt needs more than `budget` tokens.
    """
    from specchat.bench.prompts import PromptsError

    encoded = []
    for each in encode_each(encode, prompts, budget):
        if isinstance(each, PromptsError):
            raise each
        encoded.append(each)
    return encoded


def encode_each(
    encode: Encode, prompts: Sequence[Prompt], budget: int
) -> list[BenchPrompt | PromptsError]:
    """The prompts as the engine takes them; an error in place of one that does not fit."""
    from specchat.bench.prompts import BenchPrompt, PromptsError
    from specchat.chat.types import ChatError

    encoded: list[BenchPrompt | PromptsError] = []
    with progress("prompts", len(prompts)) as advance:
        for prompt in prompts:
            try:
                build = encode(prompt, budget)
                encoded.append(BenchPrompt(prompt.prompt_id, build.ids, build.public_tokens))
            except ChatError as error:
                encoded.append(PromptsError(f"prompt {prompt.prompt_id!r}: {error}"))
            advance(len(encoded), len(prompts))
    return encoded


def changes(label: str) -> Callable[[str], None]:
    """Says a state on stderr whenever it differs from the one before."""
    said: list[str] = []

    def say(state: str) -> None:
        if said[-1:] != [state]:
            said.append(state)
            typer.echo(f"{label}: {state}", err=True)

    return say


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr; the callback is told how many are done."""
    from tqdm import tqdm

    with tqdm(total=total, desc=label, file=sys.stderr, unit="") as bar:

        def advance(done: int, total: int) -> None:
            bar.update(done - bar.n)

        yield advance


@contextmanager
def explained() -> Iterator[None]:
    """What the user did wrong ends the command with one message and exit code 2."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:
        if not isinstance(error, _user_errors()):
            raise
        fail(str(error))


def _user_errors() -> tuple[type[Exception], ...]:
    from specchat.bench.load.plan import LoadError
    from specchat.bench.load.sender_process import SenderError
    from specchat.bench.peers.pinned import PeersError
    from specchat.bench.prompts import PromptsError
    from specchat.bench.report import ReportError
    from specchat.chat.company.profile import CompanyError
    from specchat.chat.types import ChatError
    from specchat.engine.errors import ModelLoadError, QueueFullError, RequestError
    from storage.errors import StoreError

    return (
        SettingsError,
        PromptsError,
        ReportError,
        LoadError,
        PeersError,
        SenderError,
        CompanyError,
        ChatError,
        ModelLoadError,
        QueueFullError,
        RequestError,
        StoreError,
    )


def fail(message: str) -> NoReturn:
    """End the command with one message and the exit code of a user's mistake."""
    typer.echo(message, err=True)
    raise typer.Exit(USER_ERROR)
