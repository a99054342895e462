"""`specchat bench speculators`: what each speculator is worth."""

from __future__ import annotations

from typing import Annotated

import typer

from specchat.commands import shared
from specchat.commands.measurement_options import Measured, measuring
from specchat.commands.shared import Limit, PromptsFile, Raw


@measuring
def speculators(
    measured: Measured,
    prompts_file: PromptsFile,
    limit: Limit = None,
    raw: Raw = False,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each arm per prompt.")] = 1,
    history_sizes: Annotated[
        str | None,
        typer.Option(help="Measure the growth instead: answers in the store, such as 0,300,3000."),
    ] = None,
) -> None:
    """Measure every speculator alone, all merged, and the policy as shipped, on one engine.

    The arms of each prompt run one after the other in random order. With --history-sizes the
    store of earlier answers is cut to each size instead, alone and with the other speculators.
    """
    with shared.explained():
        from specchat.bench import speculator_comparison as bench
        from specchat.bench.prompts import read_prompts

        params = measured.params()
        settings = measured.settings()
        prompts = read_prompts(prompts_file, limit)
        sizes = _sizes(history_sizes)
        if sizes:
            stores = tuple(f"suffix@{size}" for size in sizes)
            settings = settings.model_copy(update={"speculators": (*settings.speculators, *stores)})
        with shared.loaded_engine(settings) as loaded:
            from specchat.bench.environment import describe_environment

            own = loaded.engine.info.speculators
            arms = bench.history_arms(own, sizes) if sizes else bench.drafting_arms(own)
            if len(arms) < 3:
                shared.fail("nothing to compare: no speculator is loaded; see --speculators")
            shared.warmed_up(loaded.engine)
            room = loaded.engine.info.context_length - measured.max_tokens
            with shared.prompt_encoding(loaded, settings, raw=raw) as encode:
                encoded = shared.encode_prompts(encode, prompts, room)
            environment = describe_environment(loaded.engine)
            with shared.progress("speculators", _answers(len(encoded), len(arms), repeats)) as on:
                runs = bench.run_arms(loaded.engine, encoded, arms, params, repeats, on)
        report = bench.speculators_report(
            environment, arms, params, repeats, prompts_file.name, runs
        )
        measured.publish(report, bench.speculators_text)


def _answers(prompts: int, arms: int, repeats: int) -> int:
    from specchat.bench.speculator_comparison import WARM_UP_PROMPTS

    return arms * (prompts * repeats + min(WARM_UP_PROMPTS, prompts))


def _sizes(text: str | None) -> tuple[int, ...]:
    """Different sizes in increasing order, from `0,300,1000`."""
    from specchat.settings import SettingsError

    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise SettingsError(f"--history-sizes must be numbers such as 0,300,1000, got {text!r}")
    return tuple(sorted({int(part) for part in parts}))
