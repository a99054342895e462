"""The two lanes of a race as the page's script draws them: tokens with their times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import gradio as gr

from specchat.chat.slots.filler import Piece
from specchat.engine.request import Token
from specchat.ui.shared.theme import STYLE_DIRECTORY
from specchat.ui.shared.token_highlights import style_of

ARMS = ("plain", "speculative")
SCRIPTS = ("race.js", "race_steps.js", "race_timeline.js", "race_share.js")
Phase = Literal["idle", "live", "done"]


class Filler(Protocol):
    """Fills the slots of a streamed answer; may hold text back until it is known."""

    def feed(self, pieces: Iterable[Piece]) -> list[Piece]: ...
    def flush(self) -> list[Piece]: ...


@dataclass
class Lane:
    """One arm as it is heard, in pieces: text, source key, source label, ms since the arm's start,
    tokens heard by then, source letter."""

    filler: Filler
    state: Literal["waiting", "running", "done"] = "waiting"
    pieces: list[list[Any]] = field(default_factory=list)
    total_ms: float = 0.0
    tokens: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)  # verifications, as `drawn_step`

    def hear(self, tokens: Iterable[Token], at_ms: float) -> None:
        """Take tokens that arrived `at_ms` after the arm's own start."""
        heard = tuple(tokens)
        self.state = "running"
        self.tokens += len(heard)
        self.total_ms = max(self.total_ms, at_ms)
        self._add(self.filler.feed((token.text, token.source) for token in heard))

    def finish(self, total_ms: float) -> None:
        """The arm is done; what the filler still holds back leaves now."""
        self.total_ms = max(self.total_ms, total_ms)
        self._add(self.filler.flush())
        self.state = "done"

    def text(self) -> str:
        """The answer so far, filled."""
        return "".join(piece[0] for piece in self.pieces)

    def drawn(self) -> dict[str, Any]:
        """The lane as the script expects it."""
        return {
            "state": self.state,
            "total_ms": self.total_ms,
            "tokens": self.tokens,
            "pieces": list(self.pieces),
        }

    def _add(self, pieces: Iterable[Piece]) -> None:
        at_ms = round(self.total_ms, 2)
        for text, source in pieces:
            style = style_of(source)
            piece = [text, style.key, style.label, at_ms, self.tokens, style.letter]
            self.pieces.append(piece)


def board(
    run: str, phase: Phase, lanes: dict[str, Lane], about: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The value of `race_board`: both lanes of one run; once done, its steps and what is known
    about it (`result.about`)."""
    drawn = {arm: lanes[arm].drawn() for arm in ARMS}
    value = {"run": run, "phase": phase, "lanes": drawn, "about": about}
    return value | {"steps": lanes["speculative"].steps if phase == "done" else []}


def race_board(elem_id: str) -> gr.HTML:
    """Both lanes, live and as a replay; its value is a `board`. The script writes text only."""
    return gr.HTML(
        value=None,
        html_template=(STYLE_DIRECTORY / "race.html").read_text(encoding="utf-8"),
        js_on_load="\n".join(
            (STYLE_DIRECTORY / name).read_text(encoding="utf-8") for name in SCRIPTS
        ),
        apply_default_css=False,
        elem_id=elem_id,
    )
