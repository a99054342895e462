"""Every arm answers every prompt; one that fails is left out, and the others go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from specchat.bench.peers import contest
from specchat.bench.peers.contest import ContestPlan, ContestResult, run_contest
from specchat.bench.peers.worker_process import Launch
from specchat.bench.prompts import BenchPrompt
from tests.bench.peers.workers import COUNTING, DYING, launch

PROMPTS = [BenchPrompt("one", (1,)), BenchPrompt("two", (2,)), BenchPrompt("three", (3,))]
PLAN = ContestPlan(max_tokens=2, repeats=2, seed=5)


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "SETTLE_S", 0.0)


def run(launches: dict[str, Launch]) -> ContestResult:
    return run_contest(launches, PROMPTS, PLAN)


def test_every_arm_answers_every_prompt_once_more_than_it_is_timed(tmp_path: Path) -> None:
    result = run({"a": launch(tmp_path, COUNTING), "b": launch(tmp_path, COUNTING, number=2)})
    for arm in ("a", "b"):
        assert {name: answer.ids for name, answer in result.checked[arm].items()} == {
            "one": (2, 3), "two": (3, 4), "three": (4, 5),
        }  # fmt: skip
        assert {name: len(runs) for name, runs in result.measured[arm].items()} == {
            "one": 2, "two": 2, "three": 2,
        }  # fmt: skip
    assert not result.failures


def test_progress_ends_at_its_total(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    run_contest({"a": launch(tmp_path, COUNTING)}, PROMPTS, PLAN, lambda *step: told.append(step))
    assert told == [(done, 9) for done in range(1, 10)]


def test_a_worker_that_dies_leaves_the_others_their_answers(tmp_path: Path) -> None:
    told: list[str] = []
    launches = {"dying": launch(tmp_path, DYING), "well": launch(tmp_path, COUNTING)}
    result = run_contest(launches, PROMPTS, PLAN, on_failure=lambda arm, why: told.append(arm))
    assert result.failures == {"dying": "the worker ended with exit code 7; out of luck"}
    assert told == ["dying"]
    assert all(len(runs) == 2 for runs in result.measured["well"].values())


def test_a_peer_that_cannot_start_is_left_out(tmp_path: Path) -> None:
    result = run({"no": launch(tmp_path, "nothing"), "well": launch(tmp_path, COUNTING)})
    assert list(result.failures) == ["no"]
    assert len(result.measured["well"]) == 3


def test_arms_that_differ_in_their_mode_share_a_process(tmp_path: Path) -> None:
    source = """
        import os
        def load(config):
            return lambda ids, max_tokens, mode, emit: emit([os.getpid(), mode["n"]])
    """
    result = run({f"mode {n}": launch(tmp_path, source, {"n": n}) for n in (1, 2)})
    answers = [result.checked[f"mode {n}"]["one"].ids for n in (1, 2)]
    assert answers[0][0] == answers[1][0] != os.getpid()
    assert [ids[1] for ids in answers] == [1, 2]


def test_the_order_is_random_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    def order(seed: int) -> list[str]:
        log = tmp_path / "log"
        log.unlink(missing_ok=True)
        source = f"""
            def load(config):
                def generate(ids, max_tokens, mode, emit):
                    with open({str(log)!r}, "a") as file:
                        file.write(f"{{ids[0]}}{{mode['arm']}} ")
                    emit([1])
                return generate
        """
        arms = {name: launch(tmp_path, source, {"arm": name}) for name in "abc"}
        run_contest(arms, PROMPTS, ContestPlan(2, 2, seed))
        return log.read_text().split()

    assert order(1) == order(1) != order(2)
