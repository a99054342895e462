"""Text with its tokens marked by who drafted them, legible without colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Protocol

TARGET = "target"
LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


class Run(Protocol):
    """A run of text from one source, as the chat's segments are."""

    @property
    def text(self) -> str: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True)
class SourceStyle:
    """How one source is named and marked. `key` is its CSS class suffix."""

    key: str
    label: str
    line: str  # the mark in words, for readers who see no colour
    letter: str  # the mark where a node has no room for words


STYLES: Mapping[str, SourceStyle] = {
    TARGET: SourceStyle("target", "target model", "no line", "T"),
    "mlp": SourceStyle("mlp", "MLP speculator", "solid line", "M"),
    "ngram": SourceStyle("ngram", "n-gram of the prompt", "dotted line", "N"),
    "suffix": SourceStyle("suffix", "past answers", "dashed line", "S"),
    "records": SourceStyle("records", "looked up in our records", "thick line", "R"),
    "page": SourceStyle("records", "our help page, word for word", "thick line", "P"),
    "chat": SourceStyle("records", "said by the chat itself", "thick line", "C"),
    "draft_model": SourceStyle("draft", "draft model", "double line", "D"),
    "medusa": SourceStyle("medusa", "Medusa heads", "line above and below", "H"),
    "eagle3": SourceStyle("eagle3", "EAGLE-3 head", "line above", "E"),
}


def style_of(source: str) -> SourceStyle:
    """The style of a source; speculators without their own share a wavy line."""
    return STYLES.get(source, SourceStyle("other", source, "wavy line", source[:1].upper() or "?"))


def marked_text(runs: Iterable[Run]) -> str:
    """HTML of the runs, each accepted draft underlined in its source's style. Escaped."""
    return "".join(_marked(run) for run in runs)


def _marked(run: Run) -> str:
    text = one_line(run.text)
    style = style_of(run.source)
    if style.key == TARGET:
        return text
    return f'<span class="sc-src sc-src-{style.key}" title="{escape(style.label)}">{text}</span>'


def one_line(text: str) -> str:
    """Escaped text whose line ends are `<br>`, so that Markdown sees one HTML block."""
    return LINE_END.sub("<br>", escape(text))


def legend(sources: Iterable[str]) -> str:
    """HTML naming each source next to its mark, the target first."""
    names = [TARGET, *sorted(set(sources) - {TARGET})]
    return '<span class="sc-legend">' + "".join(_legend_entry(name) for name in names) + "</span>"


def _legend_entry(source: str) -> str:
    style = style_of(source)
    mark = f'<span class="sc-src sc-src-{style.key}">{escape(style.letter)}</span>'
    return f'<span class="sc-legend-entry">{mark} {escape(style.label)} ({style.line})</span>'
