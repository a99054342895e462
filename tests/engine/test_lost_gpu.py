"""A GPU that has failed for good ends the engine, which says so; any other failed step does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from specchat.engine.errors import EngineClosedError
from specchat.engine.hardware import is_device_lost
from tests.engine.running import Engines, prompts, request, wait_idle

SAID = "CUDA error: an illegal memory access was encountered"
LOST = torch.AcceleratorError(f"{SAID}\nmore of it")


def test_a_lost_gpu_ends_the_engine(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engines()

    def dead(parts: Any) -> Any:
        raise LOST

    monkeypatch.setattr(engine._runner, "forward", dead)
    assert engine.snapshot().failure is None
    streams = [engine.submit(request(prompt, max_tokens=50)) for prompt in prompts(3, 20)[:1]]
    for stream in streams:
        with pytest.raises(EngineClosedError, match="the GPU has failed: CUDA error: an illegal"):
            list(stream)
    engine._thread.join(10)
    for call in (
        lambda: engine.submit(request(prompts(1)[0])),
        lambda: engine.logits([5, 6]),
        lambda: engine.evict_salt("ann"),
    ):
        with pytest.raises(EngineClosedError, match="the GPU has failed"):
            call()
    snapshot = engine.snapshot()
    assert (
        snapshot.failure
        == "the GPU has failed: CUDA error: an illegal memory access was encountered"
    )
    assert snapshot.backend == f"stopped ({snapshot.failure})"
    engine.close()


def test_who_waits_for_scores_is_told_too(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines()

    def dead(parts: Any) -> Any:
        raise LOST

    monkeypatch.setattr(engine._runner, "forward", dead)
    with pytest.raises((EngineClosedError, torch.AcceleratorError)):
        engine.logits([5, 6, 7])


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), ValueError("x")])
def test_another_error_ends_the_step_alone(
    engines: Engines, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine = engines()
    forward, once = engine._runner.forward, iter([True])

    def broken(parts: Any) -> Any:
        if next(once, False):
            raise error
        return forward(parts)

    monkeypatch.setattr(engine._runner, "forward", broken)
    with pytest.raises(EngineClosedError):
        list(engine.submit(request(prompts(1)[0], max_tokens=3)))
    assert engine.snapshot().failure is None
    assert len(list(engine.submit(request(prompts(1)[0], max_tokens=3)))) > 0
    wait_idle(engine)


def test_a_gpu_is_asked_whether_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is no more than a wrong launch leaves it working."""
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    assert not is_device_lost(LOST, [gpu])

    def dead(device: torch.device) -> None:
        raise LOST

    monkeypatch.setattr(torch.cuda, "synchronize", dead)
    assert is_device_lost(RuntimeError("CUDA error: device-side assert triggered"), [gpu])
