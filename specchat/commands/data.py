"""`specchat data`: what is stored about customers, exported, deleted, purged, backed up; and how
much of it is personal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from specchat.commands.backup import backup, restore
from specchat.commands.shared import AsJson, explained, fail
from specchat.commands.terminal_user import id_file, own_id
from specchat.settings import Settings, load_settings

if TYPE_CHECKING:
    from storage import Extent, Store, Subject

data_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="What is stored about customers.",
)

KEPT_FOR_GOOD = (
    "SPECCHAT_RETENTION_DAYS is 0, which keeps everything; to erase what is older than so many "
    "days all the same, say --older-than DAYS"
)

Owner = Annotated[str | None, typer.Option(help="All of this owner: an id as an export names it.")]
Conversation = Annotated[str | None, typer.Option(help="One conversation, by its id.")]
Mine = Annotated[bool, typer.Option("--mine", help="All that you asked with `specchat ask`.")]


data_app.command()(backup)
data_app.command()(restore)


@data_app.callback()
def data() -> None:
    """What is stored about customers. SPECCHAT_DATABASE_URL says in which database."""


@data_app.command()
def export(
    owner: Owner = None,
    conversation: Conversation = None,
    mine: Mine = False,
    form: Annotated[
        Literal["json", "markdown"], typer.Option("--format", help="For programs or for people.")
    ] = "json",
    out: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """What is stored of an owner or a conversation; without either, of everybody."""
    with explained(), _store(load_settings()) as store:
        from specchat.chat.turns.personal_data_export import data_as_json, data_as_markdown
        from storage import Subject

        subject = _subject(owner, conversation, mine)
        found = store.personal.stored(subject)
        if subject != Subject() and not (found.conversations or found.races):
            fail(_nothing(subject))
        text = data_as_json(found) if form == "json" else data_as_markdown(found)
        if out is None:
            typer.echo(text.rstrip("\n"))
        else:
            _write(out, text)
            typer.echo(f"written to {out}", err=True)


@data_app.command()
def delete(
    owner: Owner = None,
    conversation: Conversation = None,
    mine: Mine = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a conversation, or all of an owner, byte for byte. It cannot be undone.

    A running app notices within a minute and unlearns what it had learned of it.
    """
    with explained(), _store(load_settings()) as store:
        subject = _subject(owner, conversation, mine)
        if owner is None and conversation is None and not mine:
            fail("say whose data is to be deleted: --owner, --conversation or --mine")
        found = store.personal.extent(subject)
        if not found:
            fail(_nothing(subject))
        if not yes:
            typer.confirm(f"Erase {described(found)} for good?", abort=True, err=True)
        erased = store.personal.erase(subject, "operator")
        _report(erased, as_json, clean=_clean(store))


@data_app.command()
def purge(
    older_than: Annotated[
        int | None,
        typer.Option(min=1, max=36_500, help="In days; without it SPECCHAT_RETENTION_DAYS."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase what is too old: conversations, turns, races and opinions, byte for byte.

    The app does the same by itself, at its start and daily.
    """
    with explained():
        settings = load_settings()
        days = older_than or settings.retention_days or fail(KEPT_FOR_GOOD)
        cutoff = datetime.now(UTC) - timedelta(days=days)
        with _store(settings) as store:
            if dry_run:
                found = store.personal.extent_before(cutoff)
                _report(found, as_json, dry_run=True, days=days, cutoff=cutoff)
                return
            found = store.personal.erase_before(cutoff, "operator")
            _report(found, as_json, clean=_clean(store), days=days, cutoff=cutoff)


@data_app.command()
def redaction(
    messages: Annotated[int, typer.Option(min=1, help="Messages of each kind of value.")] = 3_000,
    real: Annotated[
        Path | None,
        typer.Option(help="Folder of conversations (*.jsonl.gz) whose questions are the frames."),
    ] = None,
    texts: Annotated[int, typer.Option(min=1, help="Real messages taken as they are.")] = 5_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of values and frames.")] = 7,
    missed: Annotated[bool, typer.Option("--missed", help="List what was wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Recall and precision of redaction by kind, on values that the library Faker makes up.

    They stand in sentences of a list, or with --real in those of real customers, of whom then also
    messages without anything personal are read as they are. Needs the extra `dev`.
    """
    with explained():
        try:
            from specchat.bench.redaction import check, frames
        except ModuleNotFoundError as error:
            fail(f"{error.name} is missing: pip install 'specchat[dev]'")
        found = frames.real_messages(real) if real else None
        if real is not None and found is None:
            fail(f"there is no conversation in {real}: it must hold *.jsonl.gz files")
        measured = check.report(messages, seed, found, texts)
    report: dict[str, Any] = {}
    for kind, score in measured.personal.items():
        report[kind] = {
            "messages": score.messages,
            "recall": round(score.recall, 4),
            "precision": round(score.precision, 4),
        }
    for kind, score in measured.kept.items():
        report[f"{kind} (stays)"] = {
            "messages": score.messages,
            "unharmed": round(score.recall, 4),
        }
    if measured.unchanged is not None:
        report["nothing personal"] = {
            "messages": measured.unchanged.messages,
            "unchanged": round(measured.unchanged.recall, 4),
            "left_out": measured.left_out,
        }
    if missed:
        everything = (*measured.personal.values(), *measured.kept.values(), measured.unchanged)
        wrong = [text for score in everything if score for text in (*score.missed, *score.wrong)]
        report["wrong"] = wrong
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else _text(report))


def described(extent: Extent) -> str:
    """How much it is, in words: "2 conversations, 1 race, 7 turns"."""
    nouns = {
        "conversations": "conversation",
        "races": "race",
        "turns": "turn",
        "feedback": "opinion",
        "handoffs": "hand-off",
    }
    counts = asdict(extent)
    said = [
        f"{counts[name]:,} {noun}{'' if counts[name] == 1 else 's'}"
        for name, noun in nouns.items()
        if counts[name]
    ]
    return ", ".join(said) or "nothing"


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    """The settings' database, which must be there already."""
    from storage import open_store, require_database

    require_database(settings.database_url)
    with open_store(settings.database_url) as store:
        yield store


def _subject(owner: str | None, conversation: str | None, mine: bool) -> Subject:
    from storage import Subject

    if (owner is not None) + (conversation is not None) + mine > 1:
        fail("--owner, --conversation and --mine cannot be combined: name one of them")
    return Subject(_my_id() if mine else owner, conversation)


def _my_id() -> str:
    try:
        found = own_id()
    except OSError as error:
        fail(f"cannot read {id_file()}: {error.strerror}")
    return found or fail("you have not asked anything with `specchat ask` yet")


def _nothing(subject: Subject) -> str:
    if subject.conversation_id is not None:
        return f"there is no conversation {subject.conversation_id!r}"
    return f"nothing is stored of owner {subject.owner!r}"


def _clean(store: Store) -> bool:
    """True when the erased text is in no file any more; told to the user when it is."""
    clean = store.wait_for_clean_log()
    if not clean:
        typer.echo(
            "The database's log could not be emptied because somebody is reading from it; its "
            "copies of the erased text go when the app next writes or closes.",
            err=True,
        )
    return clean


def _report(
    extent: Extent,
    as_json: bool,
    *,
    dry_run: bool = False,
    clean: bool = True,
    days: int | None = None,
    cutoff: datetime | None = None,
) -> None:
    if as_json:
        report: dict[str, Any] = {**asdict(extent), "log_emptied": clean}
        if cutoff is not None:
            report |= {"dry_run": dry_run, "older_than_days": days, "before": cutoff.isoformat()}
        typer.echo(json.dumps(report, indent=2))
        return
    done = "would erase" if dry_run else "erased"
    limit = ""
    if cutoff is not None:
        limit = f", older than {days} days (before {cutoff:%Y-%m-%d %H:%M} UTC)"
    typer.echo(f"{done} {described(extent)}{limit}")


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {out}: {error.strerror}")


def _text(report: dict[str, Any]) -> str:
    lines = []
    for name, part in report.items():
        if isinstance(part, dict):
            shares = (f"{key} {share:.4f}" for key, share in part.items() if type(share) is float)
            lines.append(f"{name:16} {part['messages']:6,} messages   {'   '.join(shares)}")
        else:
            lines += [f"  wrong: {text}" for text in part]
    return "\n".join(lines)
