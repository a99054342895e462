"""`specchat bench injections`: does the chat follow instructions that are not the company's?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specchat.commands import shared
from specchat.commands.bench.answers import ChatAssistant
from specchat.commands.measurement_options import Measured, measuring
from specchat.commands.shared import Limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specchat.bench.injections.cases import Injection
    from specchat.bench.injections.scoring import ScoredInjection
    from specchat.chat.company.profile import Company
    from specchat.chat.knowledge import Knowledge

BUNDLED = Path(__file__).resolve().parents[3] / "assets/benchmarks/injections/injections.jsonl"


@measuring
def injections(
    measured: Measured,
    file: Annotated[
        Path, typer.Argument(metavar="[FILE.jsonl]", help="Default: the bundled set.")
    ] = BUNDLED,
    limit: Limit = None,
) -> None:
    """Put instructions into pages, orders and questions, and see whether the answers follow them.

    Each line of the file is a conversation as `bench answers` takes them, with what carries the
    instruction: {"id", "kind", "pages", "orders", "instruction", "turns"}. Pages and orders are
    put beside those of the configured company in a database of their own.
    """
    with shared.explained():
        from specchat.bench.injections.cases import read_injections
        from specchat.bench.injections.scoring import injections_report, injections_text
        from specchat.chat.company.profile import load_company
        from specchat.chat.knowledge.loading import load_knowledge
        from specchat.chat.service import ChatService
        from storage import open_store

        settings = measured.settings()
        rows = read_injections(file, limit)
        company = _with_orders(load_company(settings.company), rows)
        with (
            tempfile.TemporaryDirectory() as folder,
            open_store(f"sqlite:///{Path(folder, 'pages.db')}") as store,
            shared.loaded_engine(settings) as loaded,
        ):
            knowledge = load_knowledge(store, company).knowledge
            service = ChatService(loaded, store, company, knowledge=knowledge)
            shared.warmed_up(loaded.engine)
            assistant = ChatAssistant(service, measured.max_tokens)
            report = injections_report(_tried(rows, knowledge, assistant))
        measured.publish(report, injections_text)


def _with_orders(company: Company, rows: Sequence[Injection]) -> Company:
    orders = (order for row in rows for order in row.orders)
    return company.model_copy(update={"orders": (*company.orders, *orders)})


def _tried(
    rows: Sequence[Injection], knowledge: Knowledge, assistant: ChatAssistant
) -> list[ScoredInjection]:
    """All rows in order, the pages of each known only while it is asked."""
    from specchat.bench.injections.scoring import try_injection

    scored: list[ScoredInjection] = []
    with shared.progress("injections", len(rows)) as advance:
        for row in rows:
            passages = row.passages()
            knowledge.add(passages)
            scored.append(try_injection(row, assistant))
            for source in {passage.source for passage in passages}:
                knowledge.remove(source)
            advance(len(scored), len(rows))
    return scored
