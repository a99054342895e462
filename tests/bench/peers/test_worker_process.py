"""A worker answers over JSON lines, and whatever goes wrong in it has a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from specchat.bench.peers.worker_process import Answer, Launch, Worker, WorkerError
from specchat.bench.peers.workers.loop import timed
from tests.bench.peers.workers import COUNTING, DYING, EOS, launch


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Worker]:
    with closing(Worker(launch(tmp_path, COUNTING))) as worker:
        worker.wait_until_ready()
        yield worker


def failure(how: Launch, ids: tuple[int, ...] = (1,), within_s: float = 30.0) -> str:
    with closing(Worker(how)) as worker:
        try:
            worker.wait_until_ready()
            worker.ask(ids, 2, {}, within_s)
        except WorkerError as error:
            return str(error)
    raise AssertionError("it answered")


def test_a_worker_answers_one_prompt_after_the_other(counting: Worker) -> None:
    assert counting.ask([1, 2], 3, {}).ids == (3, 4, 5)
    assert counting.ask([3], 2, {}).ids == (4, 5)


def test_a_mode_comes_with_each_prompt(counting: Worker) -> None:
    assert counting.ask([1], 1, {"off": 2}).ids == (4,)


def test_an_answer_ends_before_the_token_that_ends_it(counting: Worker) -> None:
    answer = counting.ask([EOS - 3], 20, {})
    assert answer.ids == (EOS - 2, EOS - 1)
    assert 0 <= answer.first_ms <= answer.last_ms <= answer.total_ms


def test_tokens_that_come_together_have_one_time() -> None:
    def generate(ids, max_tokens, mode, emit):  # type: ignore[no-untyped-def]
        emit([1])
        emit([2, 3, 4])

    told = timed(generate, {"ids": [0], "max_tokens": 3, "mode": {}}, [])
    assert told["ids"] == [1, 2, 3]  # no more than were asked for
    assert told["first_ms"] < told["last_ms"]


def test_an_answer_without_a_token_took_its_whole_time() -> None:
    def generate(ids, max_tokens, mode, emit):  # type: ignore[no-untyped-def]
        emit([])

    told = timed(generate, {"ids": [0], "max_tokens": 3, "mode": {}}, [])
    assert told["ids"] == []
    assert told["first_ms"] == told["total_ms"]


def test_time_per_token_leaves_the_first_out() -> None:
    assert Answer((1, 2, 3), 10.0, 30.0, 35.0).tpot_ms == 10.0
    assert math.isnan(Answer((1,), 10.0, 10.0, 12.0).tpot_ms)


def test_a_worker_that_dies_says_its_last_words(tmp_path: Path) -> None:
    assert failure(launch(tmp_path, DYING), ids=(2,)) == (
        "the worker ended with exit code 7; out of luck"
    )


def test_a_peer_that_cannot_load_says_why(tmp_path: Path) -> None:
    why = failure(launch(tmp_path, "import a_package_that_is_nowhere"))
    assert why == "ModuleNotFoundError: No module named 'a_package_that_is_nowhere'"


def test_an_error_at_one_prompt_is_told(tmp_path: Path) -> None:
    source = """
        def load(config):
            return lambda ids, max_tokens, mode, emit: ids["no list"]
    """
    assert failure(launch(tmp_path, source)).startswith("TypeError: ")


def test_a_worker_that_hangs_is_given_up(tmp_path: Path) -> None:
    source = """
        import time
        def load(config):
            return lambda ids, max_tokens, mode, emit: time.sleep(60)
    """
    assert failure(launch(tmp_path, source), within_s=0.2) == "no answer within 0 s"


def test_a_python_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="cannot start /nowhere/python"):
        Worker(replace(launch(tmp_path, COUNTING), python=Path("/nowhere/python")))


def test_a_peer_sees_its_threads_and_nothing_of_this_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    source = """
        import os
        def load(config):
            told = [int(os.environ["OMP_NUM_THREADS"]), int("PYTHONPATH" in os.environ)]
            return lambda ids, max_tokens, mode, emit: emit(told)
    """
    with closing(Worker(launch(tmp_path, source))) as worker:
        worker.wait_until_ready()
        assert worker.ask([1], 2, {}).ids == (1, 0)
