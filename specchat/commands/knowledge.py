"""`specchat knowledge`: the documents that answers are taken from: imported, listed, searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specchat.commands.shared import AsJson, explained, fail
from specchat.settings import load_settings

if TYPE_CHECKING:
    from specchat.chat.knowledge import Judgement, Knowledge
    from storage import Store

knowledge_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="The documents that answers are taken from.",
)


@knowledge_app.callback()
def knowledge() -> None:
    """The documents that answers are taken from; a running app sees every change at once.

    SPECCHAT_DATABASE_URL says in which database.
    """


@knowledge_app.command("import")
def import_documents(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a folder of files.")],
    as_json: AsJson = False,
) -> None:
    """Import Markdown, HTML, text, CSV (question, answer) or PDF files.

    A file takes the place of what was imported under its name before. Of a folder the names are
    the paths inside it.
    """
    from specchat.chat.knowledge.documents import DocumentError, document_files, read_document

    with explained():
        try:
            documents = {name: read_document(file, name) for name, file in document_files(path)}
        except DocumentError as error:
            fail(str(error))
        with _store() as store:
            _knowledge(store).add(each for found in documents.values() for each in found)
    _report(
        [{"source": name, "passages": len(found)} for name, found in documents.items()],
        as_json,
        "{source}: {passages} passages",
    )


@knowledge_app.command("list")
def list_documents(as_json: AsJson = False) -> None:
    """List the imported documents."""
    with explained(), _store() as store:
        rows = [
            {
                "source": each.source,
                "passages": each.passages,
                "searchable": each.searchable,
                "added_at": each.added_at.isoformat(timespec="seconds"),
            }
            for each in store.knowledge.sources()
        ]
    if not rows and not as_json:
        typer.echo("nothing is imported; the company's own pages are always searched", err=True)
    _report(rows, as_json, "{source}: {passages} passages, {added_at}")


@knowledge_app.command()
def remove(
    source: Annotated[str, typer.Argument(help="A name that `list` shows.")],
    as_json: AsJson = False,
) -> None:
    """Remove a document."""
    with explained(), _store() as store:
        names = [each.source for each in store.knowledge.sources()]
        if source not in names:
            known = ", ".join(map(repr, names)) or "nothing"
            fail(f"no document {source!r} is imported; there is {known}")
        store.knowledge.replace_source(source, ())
    _report([{"source": source}], as_json, "{source} removed")


@knowledge_app.command()
def search(
    question: Annotated[str, typer.Argument(help="What a customer asks.")],
    limit: Annotated[int, typer.Option(min=1, max=8, help="Show so many passages.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Show which passages are found for a question, and which it would be answered from."""
    with explained():
        if not question.strip():
            fail("the question is empty")
        with _store() as store:
            judgement = _knowledge(store).judge(question)
    if as_json:
        typer.echo(json.dumps(_as_data(judgement, limit), indent=2, ensure_ascii=False))
        return
    chosen = {each.id for each in judgement.passages}
    for each in judgement.found[:limit]:
        mark = "*" if each.passage.id in chosen else " "
        typer.echo(f"{mark} {each.chance:4.0%}  {each.passage.title}  [{each.passage.source}]")
        typer.echo(f"         {each.passage.text}\n")
    if not judgement.passages:
        typer.echo(f"not known: {judgement.chance:.0%} that one of these answers", err=True)


@contextmanager
def _store() -> Iterator[Store]:
    """The settings' database, made where there is none yet."""
    from storage import open_store

    with open_store(load_settings().database_url) as store:
        yield store


def _knowledge(store: Store) -> Knowledge:
    from specchat.chat.company.profile import load_company
    from specchat.chat.knowledge.loading import load_knowledge

    loaded = load_knowledge(store, load_company(load_settings().company))
    for problem in loaded.problems:
        typer.echo(problem, err=True)
    return loaded.knowledge


def _as_data(judgement: Judgement, limit: int) -> dict[str, Any]:
    chosen = {each.id for each in judgement.passages}
    return {
        "searched_for": list(judgement.searched_for),
        "chance": round(judgement.chance, 3),
        "found": [
            {
                "source": each.passage.source,
                "title": each.passage.title,
                "text": each.passage.text,
                "chance": round(each.chance, 3),
                "chosen": each.passage.id in chosen,
            }
            for each in judgement.found[:limit]
        ],
    }


def _report(rows: list[dict[str, Any]], as_json: bool, line: str) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(line.format(**row))
