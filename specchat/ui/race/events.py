"""What happens in a race: both arms live, then the verdict, and the record in the store."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from specchat.bench.race import PairResult, RaceEvent, race_pair
from specchat.chat.service import ChatService
from specchat.chat.turns.turn_metrics import metrics_from
from specchat.chat.types import AnswerOptions
from specchat.engine.request import SamplingParams
from specchat.engine.snapshot import SERVER, EngineSnapshot
from specchat.evidence.scenario import SCENARIOS, Scenario
from specchat.ui.race.replay import ARMS, Lane, board
from specchat.ui.race.result import MEASURING, about, headline_html, situation
from specchat.ui.race.scenario_set import SetRow, set_headline, set_html
from specchat.ui.race.verification_steps import TextOf, drawn_step, text_of
from specchat.ui.shared import alerts as say
from specchat.ui.shared.format import model_name
from storage import RaceArm, RaceRecord, Store
from storage.records import Mode, TurnMetrics

if TYPE_CHECKING:
    from specchat.engine.interface import AnyEngine

FRAME_S = 0.2  # between live pictures: a browser on the same cores must not decide the race
SETTLE_S = 0.4  # for it to draw what is there, before each lane is measured
"""The page is told at most this often while an arm runs."""


@dataclass(frozen=True)
class RaceViewState:
    """What changes on the race tab. None leaves a part as it is."""

    board: dict[str, Any] | None = None
    headline: str | None = None  # HTML
    alert: str | None = None  # HTML
    racing: bool | None = None
    finished: PairResult | None = None
    answer: str | None = None
    results: str | None = None  # HTML; the races of a set so far
    error: str | None = None  # what went wrong, as a sentence


SEED_LIMIT = 2**31


class RaceEvents:
    """The race, free of components."""

    def __init__(self, service: ChatService, engine: AnyEngine, store: Store) -> None:
        self._service = service
        self._engine = engine
        self._store = store
        self._text = text_of(service.loaded.tokenizer)

    def race(
        self, question: str | None, owner: str, options: AnswerOptions, *, keeps: bool = False
    ) -> Generator[RaceViewState, None, None]:
        """Run both arms on one question; the last screen has `finished` unless it failed.

        Its texts are stored as the owner's only with `keeps`, their consent.
        """
        options, text = _seeded(options), (question or "").strip()
        if not text:
            wanted = "Please type or pick a question to race first."
            yield RaceViewState(alert=say.alert(wanted), error=wanted)
            return
        run = uuid.uuid4().hex
        lanes = {arm: Lane(self._service.filler_for(text)) for arm in ARMS}
        yield RaceViewState(board(run, "live", lanes), MEASURING, "", racing=True, results="")
        time.sleep(SETTLE_S)
        try:
            yield from self._run(run, text, owner if keeps else None, options, lanes)
        except say.EXPECTED as error:
            yield RaceViewState(
                board(run, "idle", lanes),
                alert=say.problem(error),
                racing=False,
                error=say.sentence(error),
            )

    def race_set(
        self,
        owner: str,
        options: AnswerOptions,
        scenarios: Sequence[Scenario] = SCENARIOS,
        *,
        keeps: bool = False,
    ) -> Generator[RaceViewState, None, None]:
        """Race every scenario's question, one after the other; ends at the first that fails. The
        boards of those before come with each one's own, to be shown again."""
        options = _seeded(options)
        rows: list[SetRow] = []
        boards: list[dict[str, Any]] = []
        for scenario in scenarios:
            for view_state in self.race(scenario.question, owner, options, keeps=keeps):
                drawn = view_state.board
                if view_state.finished is not None and drawn is not None:
                    rows.append(SetRow(scenario, view_state.finished, drawn["run"]))
                    boards.append(drawn)
                    drawn = {**drawn, "earlier": boards[:-1]}
                racing = view_state.error is None and len(rows) < len(scenarios)
                yield replace(
                    view_state,
                    board=drawn,
                    headline=view_state.headline and set_headline(rows, scenarios),
                    racing=racing,
                    results=set_html(rows, scenarios),
                )
                if view_state.error is not None:
                    return

    def _run(
        self,
        run: str,
        text: str,
        owner: str | None,
        options: AnswerOptions,
        lanes: dict[str, Lane],
    ) -> Generator[RaceViewState, None, None]:
        engine = self._engine
        params = _params(options)
        prompt = self._service.prompt_for(text, options.max_tokens)
        before = engine.snapshot()
        events = race_pair(engine, prompt.ids, params, salt=f"race/{run}", traced=True)
        pair: PairResult | None = None
        try:
            for heard in _heard(events, lanes, self._text):
                if isinstance(heard, PairResult):
                    pair = heard
                else:
                    yield RaceViewState(board(run, "live", lanes))
        finally:
            _close(events)
        if pair is None:
            return
        warning = self._record(text, owner, params, pair, lanes)
        said = self._service.redacted(text).text
        known = about(pair, said, options, _provenance(options, engine.info))
        yield RaceViewState(
            board(run, "done", lanes, known),
            headline_html(pair, _described(options, engine.info, before)),
            alert=warning,
            racing=False,
            finished=pair,
            answer=lanes["speculative"].text(),
        )

    def _record(
        self,
        text: str,
        owner: str | None,
        params: SamplingParams,
        pair: PairResult,
        lanes: dict[str, Lane],
    ) -> str:
        """Store the race; an alert when that failed, else "".

        Its texts go in redacted; without an owner, who did not agree, its situation stands in the
        place of the question.
        """
        kept = owner is not None
        try:
            self._store.record_race(
                RaceRecord(
                    prompt=self._service.redacted(text).text if kept else situation(text),
                    identical=pair.identical,
                    first=pair.first,
                    plain=self._arm("plain", params, pair, lanes["plain"] if kept else None),
                    speculative=self._arm(
                        "speculative", params, pair, lanes["speculative"] if kept else None
                    ),
                    owner=owner or "",
                )
            )
        except say.EXPECTED as error:
            return say.problem(error)
        return ""

    def _arm(
        self, arm: Mode, params: SamplingParams, pair: PairResult, lane: Lane | None
    ) -> RaceArm:
        result = pair.plain if arm == "plain" else pair.speculative
        return RaceArm(
            answer="" if lane is None else self._service.redacted(lane.text()).text,
            metrics=self._metrics(arm, params, result),
        )

    def _metrics(self, arm: Mode, params: SamplingParams, result: Any) -> TurnMetrics:
        return metrics_from(
            result.stats,
            replace(params, speculate=arm == "speculative"),
            self._engine.info,
            arm,
            backend=self._engine.snapshot().backend,
        )


def _heard(
    events: Iterator[RaceEvent | PairResult], lanes: dict[str, Lane], text: TextOf
) -> Iterator[RaceEvent | PairResult]:
    """Write events into the lanes; pass on what the page should draw now, and the result."""
    drawn = time.monotonic()
    for event in events:
        if isinstance(event, PairResult):
            yield event
            return
        lane = lanes[event.arm]
        lane.hear(event.tokens, event.at_ms)
        if event.draft is not None and event.arm == "speculative":
            lane.steps.append(drawn_step(event.draft, event.at_ms, text))
        if event.done:
            lane.finish(event.at_ms)
        if event.done or time.monotonic() - drawn >= FRAME_S:
            yield event
            if event.done:
                time.sleep(SETTLE_S)
            drawn = time.monotonic()


def _seeded(options: AnswerOptions) -> AnswerOptions:
    """With a seed, a random one where none is given: the same for both arms."""
    if options.seed is not None:
        return options
    return replace(options, seed=secrets.randbelow(SEED_LIMIT))


def _params(options: AnswerOptions) -> SamplingParams:
    """As the engine takes them. Raises RequestError for values that are out of range."""
    return SamplingParams(
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed or 0,
        speculators=options.speculators,
        max_nodes=options.max_nodes,
    )


def _described(options: AnswerOptions, info: Any, before: EngineSnapshot) -> str:
    text = _provenance(options, info)
    if not before.ready:
        text += " · the engine was still warming up, so both will be faster"
    if before.running:
        others = f"{before.running} other answers ran at the start"
        text += f" · {others}, so the times are not undisturbed"
    return text


def _provenance(options: AnswerOptions, info: Any) -> str:
    """Model, machine and settings, as printed next to every result."""
    drafters = info.speculators if options.speculators is None else options.speculators
    unnamed = "the server" if info.device == SERVER else "nobody"
    nodes = "" if options.max_nodes is None else f" · at most {options.max_nodes} nodes a step"
    return (
        f"{model_name(info.name)} · {info.dtype} · {info.hardware} · "
        f"drafts by {', '.join(drafters) or unnamed}{nodes} · "
        f"temperature {options.temperature:g} · seed {options.seed} · "
        f"at most {options.max_tokens} tokens"
    )


def _close(events: Iterator[Any]) -> None:
    close = getattr(events, "close", None)
    if close is not None:
        close()
