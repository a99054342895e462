"""`specchat train`: makes the `care` models from the corpus, stage by stage."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from specchat.commands.train.assistant import assistant, assistant_store
from specchat.commands.train.assistant import clear_errors as _clear_errors
from specchat.commands.train.retrieval import retriever

WORK = Path(".train")

train_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Make the care models: the assistant, retriever; corpus, tokenizer, target, "
    "generate, speculator, draft. Long stages save as they go and resume when started again.",
)

Work = Annotated[Path, typer.Option(help="Folder of checkpoints and generated answers.")]
Out = Annotated[Path, typer.Option(help="Folder the models are written to.")]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of the data files. Default: SPECCHAT_DATA, or ../shared/data."),
]
FromHub = Annotated[
    bool, typer.Option("--from-hub", help="Read Bitext from the Hugging Face Hub instead.")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Stop after this many steps.")]
DEFAULT_OUT = WORK / "export/care"


train_app.command()(assistant)
train_app.command()(assistant_store)
train_app.command()(retriever)


@train_app.command()
def corpus(
    heldout: Annotated[Path | None, typer.Option(help="Write held-out prompts here.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many held-out prompts.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the choice of prompts.")] = 0,
    data: Data = None,
    from_hub: FromHub = False,
) -> None:
    """Read and clean the corpus, count its splits, write prompts of the test split."""
    from specchat.training.corpus.care_corpus import (
        SPLITS,
        heldout_prompts,
        in_split,
        load_corpus,
        write_prompts,
    )

    with _clear_errors():
        conversations = load_corpus(data, from_hub)
        counts = {split: len(in_split(conversations, split)) for split in SPLITS}
        typer.echo(json.dumps({"conversations": len(conversations), **counts}))
        if heldout:
            prompts = heldout_prompts(conversations, limit, seed)
            write_prompts(prompts, heldout)
            typer.echo(f"{len(prompts)} prompts in {heldout}")


@train_app.command()
def tokenizer(
    work: Work = WORK, out: Out = DEFAULT_OUT, data: Data = None, from_hub: FromHub = False
) -> None:
    """Train the byte-level BPE tokenizer of 4,096 tokens."""
    from specchat.training.stages import Workplace, run_tokenizer

    with _clear_errors():
        run_tokenizer(Workplace(work, out, data, from_hub, typer.echo))


@train_app.command()
def target(
    work: Work = WORK,
    out: Out = DEFAULT_OUT,
    data: Data = None,
    from_hub: FromHub = False,
    minutes: Annotated[float, typer.Option(help="Wall-clock time, resumed runs included.")] = 66,
    max_steps: Steps = None,
    compiled: Annotated[bool, typer.Option(help="Compile the model.")] = True,
) -> None:
    """Train the target language model; its schedule ends when the minutes do."""
    from specchat.training.stages import Workplace, run_target
    from specchat.training.target import TargetSettings

    with _clear_errors():
        run_target(
            Workplace(work, out, data, from_hub, typer.echo),
            TargetSettings(minutes=minutes, compile=compiled),
            max_steps,
        )


@train_app.command()
def evaluate(
    work: Work = WORK, out: Out = DEFAULT_OUT, data: Data = None, from_hub: FromHub = False
) -> None:
    """Print the target's held-out loss (nats per token) on the test split."""
    from specchat.training.stages import Workplace, run_evaluate

    with _clear_errors():
        run_evaluate(Workplace(work, out, data, from_hub, typer.echo))


@train_app.command()
def generate(
    work: Work = WORK,
    out: Out = DEFAULT_OUT,
    data: Data = None,
    from_hub: FromHub = False,
    count: Annotated[
        int, typer.Option(min=0, help="Prompts of the corpus at each temperature; 0 for none.")
    ] = 1500,
    temperature: Annotated[list[float] | None, typer.Option(help="May be repeated.")] = None,
    own_questions: Annotated[
        int,
        typer.Option(
            min=0,
            help="Then as many conversations in which the target asks the questions too, of 1 to "
            "4 turns, answered greedily; with --count 0 it needs no corpus.",
        ),
    ] = 0,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop each temperature, and the own questions, after this long."),
    ] = None,
) -> None:
    """Let the target answer training questions, and its own: the text of the speculators' second
    stage and of the suffix store."""
    from specchat.training.stages import Workplace, run_generate, run_self_talk

    with _clear_errors():
        place = Workplace(work, out, data, from_hub, typer.echo)
        if count:
            run_generate(place, count, temperature or [0.0, 0.8], minutes)
        if own_questions:
            run_self_talk(place, own_questions, minutes)


@train_app.command()
def speculator(
    stage: Annotated[
        int, typer.Option(min=1, max=2, help="1: answers in the text. 2: the target's own.")
    ] = 2,
    kind: Annotated[str, typer.Option(help="mlp, medusa, eagle3 or draft.")] = "mlp",
    target: Annotated[
        str | None, typer.Option(help="'care', a directory or a Hub name. Default: OUT/target.")
    ] = None,
    conversations: Annotated[
        Path | None, typer.Option(help='One {"messages": [...]} a line. Default: the corpus.')
    ] = None,
    from_history: Annotated[
        bool, typer.Option("--from-history", help="The conversations of this chat's own database.")
    ] = False,
    database: Annotated[
        str | None, typer.Option(help="URL of that database. Default: SPECCHAT_DATABASE_URL.")
    ] = None,
    work: Work = WORK,
    out: Annotated[
        Path, typer.Option(help="Folder of the target, and of speculators beside it.")
    ] = DEFAULT_OUT,
    data: Data = None,
    from_hub: FromHub = False,
    minutes: Annotated[float, typer.Option(help="Wall-clock time, resumed runs included.")] = 12,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3,
    limit: Annotated[int, typer.Option(min=10, help="Most questions to learn from.")] = 2000,
    rows: Annotated[int, typer.Option(min=1, help="Packed texts in a batch.")] = 4,
    length: Annotated[int, typer.Option(min=16, help="Tokens in a row of a batch.")] = 512,
    start: Annotated[str | None, typer.Option(help="A draft model to go on from.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    max_steps: Steps = None,
    compiled: Annotated[bool, typer.Option(help="Compile the loss.")] = True,
) -> None:
    """Train a speculator: for the care model being made, or for any target on any conversations.

    Without --target, --conversations and --from-history it is the MLP speculator of the care model
    in OUT/target, on the corpus. Otherwise the target answers questions of the conversations, the
    speculator learns to foresee it, and its acceptance by depth is measured on held-out ones.
    """
    own = target is not None or conversations is not None or from_history or kind != "mlp"
    with _clear_errors():
        if not own:
            from specchat.training.care_mlp.two_stages import SpeculatorSettings
            from specchat.training.stages import Workplace, run_speculator

            run_speculator(
                Workplace(work, out, data, from_hub, typer.echo),
                stage,
                SpeculatorSettings(minutes=minutes, lr=lr, compile=compiled),
                max_steps=max_steps,
            )
            return
        from specchat.commands.train.speculator import TrainingOptions, train_for_any_target
        from specchat.training.distillation.trainer import DistilSettings

        train_for_any_target(
            TrainingOptions(
                kind=kind, stage=stage, target=target or str(out / "target"),
                conversations=conversations, from_history=from_history, data=data,
                from_hub=from_hub, work=work, out=out, limit=limit, start=start, device=device,
                settings=DistilSettings(minutes=minutes, lr=lr, rows=rows, length=length),
                max_steps=max_steps, database=database or os.environ.get("SPECCHAT_DATABASE_URL"),
            )
        )  # fmt: skip


@train_app.command()
def draft(
    work: Work = WORK,
    out: Out = DEFAULT_OUT,
    data: Data = None,
    from_hub: FromHub = False,
    minutes: Annotated[float, typer.Option(help="Wall-clock time, resumed runs included.")] = 5,
    max_steps: Steps = None,
    compiled: Annotated[bool, typer.Option(help="Compile the model.")] = True,
) -> None:
    """Train the small draft model on ground truth and the target's own answers."""
    from specchat.training.stages import DRAFT_SETTINGS, Workplace, run_draft

    with _clear_errors():
        run_draft(
            Workplace(work, out, data, from_hub, typer.echo),
            replace(DRAFT_SETTINGS, minutes=minutes, compile=compiled),
            max_steps,
        )


@train_app.command()
def store(work: Work = WORK, out: Out = DEFAULT_OUT) -> None:
    """Write the target's own answers as the seed store that suffix drafting starts from."""
    from specchat.training.stages import Workplace
    from specchat.training.suffix_store import run_store

    with _clear_errors():
        run_store(Workplace(work, out, say=typer.echo))


@train_app.command()
def acceptance(
    answers: Annotated[Path, typer.Argument(help="Greedy answers made by `generate`.")],
    work: Work = WORK,
    out: Out = DEFAULT_OUT,
) -> None:
    """Print the MLP speculator's mean acceptance length on a file of greedy answers."""
    from specchat.training.stages import Workplace, run_acceptance

    with _clear_errors():
        run_acceptance(Workplace(work, out, say=typer.echo), answers)


@train_app.command(name="all")
def everything(
    work: Work = WORK,
    out: Out = DEFAULT_OUT,
    data: Data = None,
    from_hub: FromHub = False,
    scale: Annotated[
        float, typer.Option(help="Multiplies every stage's minutes and the own answers.")
    ] = 1.0,
    max_steps: Steps = None,
    compiled: Annotated[bool, typer.Option(help="Compile the models.")] = True,
) -> None:
    """Every stage in order: about two hours on two CPU cores."""
    from specchat.training import stages
    from specchat.training.care_mlp.two_stages import SpeculatorSettings
    from specchat.training.suffix_store import run_store
    from specchat.training.target import TargetSettings

    with _clear_errors():
        place = stages.Workplace(work, out, data, from_hub, typer.echo)
        target = TargetSettings(compile=compiled)
        draft = replace(stages.DRAFT_SETTINGS, compile=compiled)
        mlp = SpeculatorSettings(compile=compiled)
        if not (work / "tokenizer/tokenizer.json").exists():
            stages.run_tokenizer(place)
        stages.run_target(place, replace(target, minutes=target.minutes * scale), max_steps)
        stages.run_generate(place, max(1, int(1500 * scale)), (0.0, 0.8), None)
        stages.run_self_talk(place, max(1, int(1500 * scale)))
        run_store(place)
        for stage, minutes in ((1, stages.STAGE_ONE_MINUTES * scale), (2, mlp.minutes * scale)):
            stages.run_speculator(place, stage, replace(mlp, minutes=minutes), max_steps=max_steps)
        stages.run_draft(place, replace(draft, minutes=draft.minutes * scale), max_steps)
        stages.run_evaluate(place)
