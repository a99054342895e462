"""Below the charts: two configurations compared, savings extrapolated, everything exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from specchat.evidence.savings import Assumptions
from specchat.ui.dashboard import data
from specchat.ui.dashboard.compare import FEW, compare_html, configurations
from specchat.ui.dashboard.export import as_csv, as_json
from specchat.ui.dashboard.savings import IMPOSSIBLE, savings_html
from specchat.ui.shared import alerts as say
from specchat.ui.shared.sampling_controls import EngineQueue
from specchat.ui.shared.theme import STYLE_DIRECTORY
from storage import Store


@dataclass(frozen=True)
class EvidenceTools:
    """The components that events read or change."""

    comparing: gr.Accordion
    first: gr.Dropdown
    second: gr.Dropdown
    compared: gr.HTML
    saving: gr.Accordion
    assumptions: tuple[gr.Number, ...]  # chats, answers a chat, price an hour
    saved: gr.HTML
    csv: gr.Button
    json: gr.Button
    png: gr.Button
    file: gr.Textbox  # what was exported, on its way to the browser's downloads
    said: gr.HTML


def build_evidence_tools() -> EvidenceTools:
    """Lay the sections out, closed; they are filled when they are opened."""
    with gr.Accordion("Compare two configurations", open=False, elem_id="sc-compare") as comparing:
        with gr.Row():
            first = gr.Dropdown([], label="A", filterable=False, min_width=220)
            second = gr.Dropdown([], label="B", filterable=False, min_width=220)
        compared = gr.HTML("", elem_id="sc-compared")
    with gr.Accordion("Savings calculator", open=False, elem_id="sc-savings") as saving:
        with gr.Row():
            assumptions = (
                gr.Number(1_000, label="Chats", min_width=120),
                gr.Number(3, label="Answers per chat", min_width=120),
                gr.Number(0.5, label="Price of the machine per hour", min_width=160),
            )
        saved = gr.HTML("", elem_id="sc-saved")
    with gr.Row(elem_id="sc-export"):
        csv = gr.Button("Turns as CSV", size="sm", min_width=110, elem_id="sc-export-csv")
        json = gr.Button("Turns as JSON", size="sm", min_width=110, elem_id="sc-export-json")
        png = gr.Button("Charts as PNG", size="sm", min_width=110, elem_id="sc-export-png")
    file = gr.Textbox(visible="hidden", label="File")
    said = gr.HTML("", elem_id="sc-export-said")
    return EvidenceTools(
        comparing, first, second, compared, saving, assumptions, saved, csv, json, png, file, said
    )


def bind_evidence_tools(
    tools: EvidenceTools, filters: Sequence[Any], store: Store, queue: EngineQueue, currency: str
) -> None:
    """All of it reads the turns that the filters leave, anew when one of them changes."""
    quick = {**queue.quick(), "show_progress": "hidden"}
    latest = {**queue.latest(), "show_progress": "hidden"}
    sides = [tools.first, tools.second]

    def compared(first: str | None, second: str | None, *choice: str) -> str:
        try:
            found = data.gather(store, data.Choice(*choice))
            return compare_html(found.rows, first or "", second or "", found.races)
        except say.EXPECTED as error:
            return say.problem(error)

    def offer(first: str | None, second: str | None, *choice: str) -> list[Any]:
        try:
            evidence = data.gather(store, data.Choice(*choice))
        except say.EXPECTED as error:
            return [gr.skip(), gr.skip(), say.problem(error)]
        labels = [found.label for found in configurations(evidence.rows)]
        if len(labels) < 2:
            empty = gr.update(choices=labels, value=None)
            return [empty, empty, FEW]
        a = first if first in labels else labels[0]
        b = second if second in labels else next(label for label in labels if label != a)
        menus = [gr.update(choices=labels, value=value) for value in (a, b)]
        return [*menus, compare_html(evidence.rows, a, b, evidence.races)]

    def extrapolated(chats: Any, answers: Any, price: Any, *choice: str) -> str:
        try:
            races = data.gather(store, data.Choice(*choice)).races
            assumed = Assumptions(float(chats or 0), float(answers or 0), float(price or 0))
            return savings_html(races, assumed, currency, data.race_provenance(races))
        except ValueError:
            return say.alert(IMPOSSIBLE)
        except say.EXPECTED as error:
            return say.problem(error)

    def exported(form: str, *choice: str) -> list[Any]:
        try:
            found = data.gather(store, data.Choice(*choice))
        except say.EXPECTED as error:
            return ["", say.problem(error)]
        if not found.rows:
            return ["", say.alert("There is nothing to export: no turn fits these filters.")]
        said = [f"{len(found.rows):,} turns exported"]
        return [
            as_csv(found.rows) if form == "csv" else as_json(found.rows, found.races, found.cut),
            say.notes([*said, found.cut] if found.cut else said),
        ]

    gr.on(
        [tools.comparing.expand, *(each.input for each in filters)],
        offer, [*sides, *filters], [*sides, tools.compared], **latest,
    )  # fmt: skip
    # a choice leaves the menus alone: it must not take back the one that follows it
    gr.on([side.input for side in sides], compared, [*sides, *filters], tools.compared, **latest)
    gr.on(
        [tools.saving.expand, *(number.change for number in tools.assumptions),
         *(each.input for each in filters)],
        extrapolated, [*tools.assumptions, *filters], tools.saved, **latest,
    )  # fmt: skip
    for button, form in ((tools.csv, "csv"), (tools.json, "json")):
        button.click(
            lambda *choice, form=form: exported(form, *choice),
            list(filters), [tools.file, tools.said], **quick,
        ).then(None, tools.file, None, js=_DOWNLOAD.replace("ENDING", form))  # fmt: skip
    script = (STYLE_DIRECTORY / "charts_png.js").read_text(encoding="utf-8")
    tools.png.click(None, None, None, js=script)


_DOWNLOAD = """(text) => {
  if (!text) return;
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([text], { type: "text/ENDING" }));
  anchor.download = "specchat-turns.ENDING";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}"""
