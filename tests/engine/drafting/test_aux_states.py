"""Inner hidden states reach a drafter for every position, whatever path the tokens took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from specchat.engine.drafting.aux_states import AuxRoom, AuxStates, AuxTape
from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.errors import ModelLoadError
from specchat.engine.model.runner import ModelRunner
from tests.engine.running import (
    Bushy,
    Engines,
    Scripted,
    Stepped,
    ask,
    ask_all,
    ask_at_once,
    prompts,
    request,
)

LAYERS = (1, 0)


class Listener(Bushy):
    """Drafts random trees with a part of the answer in them, and keeps all states it is given."""

    name = "listener"
    needs_aux = True

    def __init__(self, answers: dict[tuple[int, ...], tuple[int, ...]]) -> None:
        super().__init__(answers)
        self.heard: dict[str, dict[int, torch.Tensor]] = {}
        self.tokens: dict[str, tuple[int, ...]] = {}

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        for context in batch:
            heard = self.heard.setdefault(context.request_id, {})
            assert context.aux is not None
            for part in context.aux.take():
                heard |= {part.start + i: row for i, row in enumerate(part.states)}
            self.tokens[context.request_id] = tuple(context.tokens)
        return super().propose(batch)

    def check(self, model: Any, request_id: str) -> None:
        """Every position in front of the last token has the states of a plain forward pass."""
        tokens, heard = self.tokens[request_id], self.heard[request_id]
        with torch.no_grad():
            out = model(torch.tensor([tokens]), output_hidden_states=True)
        right = torch.cat([out.hidden_states[layer][0] for layer in LAYERS], -1)
        assert sorted(heard) == list(range(len(tokens) - 1))
        mine = torch.stack([heard[i] for i in range(len(tokens) - 1)])
        torch.testing.assert_close(mine, right[:-1], atol=1e-4, rtol=1e-4)


class Other(Bushy):
    """Reads no states."""

    name = "other"


@pytest.mark.usefixtures("keep_all_drafts")
def test_states_come_for_prompt_chunks_and_accepted_nodes(
    engines: Engines, eager_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [request(prompt, max_tokens=60, ignore_eos=True) for prompt in prompts(4, 30)]
    plain = engines()
    answers = {r.prompt_ids: a.tokens for r, a in zip(asked, ask_all(plain, asked), strict=True)}
    monkeypatch.setattr(ModelRunner, "__init__", _collecting(ModelRunner.__init__))
    listener = Listener(answers)
    # Pages are short, so that requests are preempted and computed anew.
    engine = engines(listener, pages=9, token_budget=16)
    drafted = ask_at_once(engine, asked)
    assert {r.prompt_ids: a.tokens for r, a in zip(asked, drafted, strict=True)} == answers
    assert sum(a.stats.accepted for a in drafted) > 0
    assert engine.snapshot().preemptions > 0
    for one in asked:
        listener.check(eager_model, one.request_id)


@pytest.mark.parametrize(
    ("params", "collected"),
    [
        ({}, True),
        ({"speculators": ("other", "listener")}, True),
        ({"speculate": False}, False),
        ({"speculators": ("other",)}, False),
        ({"speculators": ()}, False),
        ({"max_nodes": 0}, False),
    ],
)
def test_states_are_collected_where_a_drafter_may_read_them(
    engines: Engines,
    monkeypatch: pytest.MonkeyPatch,
    params: dict[str, Any],
    collected: bool,
) -> None:
    assert bool(states_left(engines, monkeypatch, Listener({}), **params)) == collected


def test_nothing_is_collected_for_a_drafter_that_is_switched_off(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Listener):
        def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
            for context in batch:
                assert context.aux is not None
                context.aux.take()
            raise ZeroDivisionError("the drafter is broken")

    assert states_left(engines, monkeypatch, Broken({}), adaptive=False) == []


def states_left(
    engines: Engines, monkeypatch: pytest.MonkeyPatch, drafter: Listener, **params: Any
) -> list[AuxStates]:
    """What nobody has taken of a request's states, after the step that follows a first draft."""
    monkeypatch.setattr(ModelRunner, "__init__", _collecting(ModelRunner.__init__))
    stepped = Stepped(engines(drafter, Other({})))
    stepped.submit(request(prompts(1)[0], max_tokens=9, ignore_eos=True, **params))
    (sequence,) = stepped.engine._sequences.values()
    for _ in range(2):
        stepped.step()
    return sequence.aux.take()


def test_without_collecting_a_drafter_gets_no_states(engines: Engines) -> None:
    class Deaf(Scripted):
        def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
            assert all(c.aux is not None and c.aux.take() == [] for c in batch)
            return [DraftTree() for _ in batch]

    deaf = Deaf({})
    engine = engines(deaf)
    ask(engine, prompts(1)[0], max_tokens=8)
    assert engine._drafting.speculators == [deaf]  # nothing failed


@pytest.mark.parametrize("layers", [(2,), (-1, 0), ()])
def test_layers_that_are_not_there_are_refused(tiny_model: Any, layers: tuple[int, ...]) -> None:
    with pytest.raises(ModelLoadError, match="the target has layers 0 to 1"):
        ModelRunner(tiny_model, pages=4).collect(layers)


def test_only_one_drafter_may_collect_and_the_native_step_is_not_used(tiny_model: Any) -> None:
    runner = ModelRunner(tiny_model, pages=4)
    assert runner.native.wanted()
    runner.collect([0, 1])
    assert not runner.native.wanted()
    with pytest.raises(ModelLoadError, match="only one speculator"):
        runner.collect([0, 1])


def _collecting(init: Any) -> Any:
    def wrapped(self: ModelRunner, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.collect(LAYERS)

    return wrapped


def test_states_that_nobody_takes_are_bounded_over_all_requests() -> None:
    row = torch.ones(1, 8)
    room = AuxRoom(most_bytes=10 * row.nbytes)
    one, other = AuxTape(room), AuxTape(room)
    for position in range(7):
        one.add(position, row)
    for position in range(20):
        other.add(position, row)
    assert room.used_bytes == room.most_bytes
    assert [part.start for part in other.take()] == [17, 18, 19]  # its newest
    assert [part.start for part in one.take()] == list(range(7))
    assert room.used_bytes == 0


def test_states_larger_than_the_room_are_not_kept() -> None:
    room = AuxRoom(most_bytes=10)
    tape = AuxTape(room)
    tape.add(0, torch.ones(4, 8))
    assert (tape.take(), room.used_bytes) == ([], 0)


def test_a_request_that_ends_gives_its_room_back(engines: Engines) -> None:
    engine = engines(Unasked())
    engine._runner.collect(LAYERS)
    for prompt in prompts(3, 20):
        ask(engine, prompt, max_tokens=4)
    assert engine._aux_room.used_bytes == 0


class Unasked(Scripted):
    """Reads inner states, but takes none."""

    name = "unasked"
    needs_aux = True

    def __init__(self) -> None:
        super().__init__({})

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        return DraftTree()
