"""The options that all measurements share, in one place, and what they stand for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from specchat.commands import shared
from specchat.commands.shared import (
    AsJson,
    Dtype,
    MaxTokens,
    Model,
    Out,
    Seed,
    Speculators,
    Temperature,
)
from specchat.settings import Settings, load_settings

if TYPE_CHECKING:
    from specchat.bench.prompts import BenchPrompt
    from specchat.engine.engine import Engine
    from specchat.engine.request import SamplingParams


@dataclass(frozen=True)
class Measured:
    """What is measured, and where the report goes. Every field is an option of the command."""

    max_tokens: MaxTokens = 128
    temperature: Temperature = 0.0
    seed: Seed = 0
    model: Model = None
    speculators: Speculators = None
    dtype: Dtype = None
    out: Out = None
    as_json: AsJson = False

    def params(self) -> SamplingParams:
        """Sampling of every prompt."""
        from specchat.engine.request import SamplingParams

        return SamplingParams(
            max_tokens=self.max_tokens, temperature=self.temperature, seed=self.seed
        )

    def settings(self, **more: object) -> Settings:
        """Model and speculators; a report that could not be written is found before they load.

        Raises:
            SettingsError, ReportError: each names what is wrong.
        """
        from specchat.bench.report import check_writable

        chosen = {"model": self.model, "speculators": self.speculators, "dtype": self.dtype}
        settings = load_settings(**chosen, **more)
        if self.out is not None:
            check_writable(self.out)
        return settings

    def publish(self, report: dict[str, Any], as_text: Callable[[dict[str, Any]], str]) -> None:
        """Print a report, as JSON or for a person, and write it to `out`."""
        from specchat.bench.report import to_json, write_report

        typer.echo(to_json(report) if self.as_json else as_text(report))
        if self.out is not None:
            write_report(self.out, report)
            typer.echo(f"written to {self.out}", err=True)


def measuring(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `measured` is spelt out as the options of `Measured`."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        common = {field.name: given.pop(field.name) for field in fields(Measured)}
        command(measured=Measured(**common), **given)

    common = inspect.signature(Measured, eval_str=True).parameters.values()
    own = inspect.signature(command, eval_str=True).parameters.values()
    # What a command has of its own is listed first, then what all of them have.
    listed = [option for option in own if option.name != "measured"] + list(common)
    spelt = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in listed]
    run.__signature__ = inspect.Signature(spelt)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in spelt}
    return run


@contextmanager
def warm_engine(
    prompts_file: Path, limit: int | None, measured: Measured, *, exact: bool, raw: bool
) -> Iterator[tuple[Engine, list[BenchPrompt]]]:
    """A warm engine and the encoded prompts; what can be wrong is found before the model loads."""
    from specchat.bench.prompts import read_prompts

    settings = measured.settings(exact=exact or None)
    prompts = read_prompts(prompts_file, limit)
    with shared.loaded_engine(settings) as loaded:
        shared.warmed_up(loaded.engine)
        room = loaded.engine.info.context_length - measured.max_tokens
        with shared.prompt_encoding(loaded, settings, raw=raw) as encode:
            encoded = shared.encode_prompts(encode, prompts, room)
        if settings.exact:
            typer.echo(exact_note(loaded.engine.rows_per_request), err=True)
        yield loaded.engine, encoded


def exact_note(rows: int) -> str:
    """What exact mode does on this engine, which pads requests to so many rows."""
    if rows:
        return f"exact: every request takes {rows} rows in a step, with drafts and without"
    return "exact: nothing to pad, the native step gives a row the same bits in a step of any size"
