"""Requests: what their parameters mean."""

from __future__ import annotations

import pytest

from specchat.engine.errors import RequestError
from specchat.engine.request import SamplingParams


@pytest.mark.parametrize("temperature", [0, 0.0, 1e-6, 1e-40, 5e-324])
def test_a_temperature_too_small_to_divide_by_is_zero(temperature: float) -> None:
    params = SamplingParams(temperature=temperature)
    assert params.temperature == 0.0
    assert params.greedy


def test_a_small_temperature_is_kept() -> None:
    params = SamplingParams(temperature=0.01)
    assert params.temperature == 0.01
    assert not params.greedy


def test_a_stop_string_may_be_given_alone() -> None:
    assert SamplingParams(stop="END").stop == ("END",)
    assert SamplingParams(stop=["END", "."]).stop == ("END", ".")


@pytest.mark.parametrize("stop", [b"END", 7, None, {"END"}])
def test_a_stop_that_is_no_string_and_no_sequence_of_strings_is_refused(stop: object) -> None:
    with pytest.raises(RequestError, match="stop must be a string or a sequence of strings"):
        SamplingParams(stop=stop)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, 21, True])
def test_too_many_log_probabilities_are_refused(value: int) -> None:
    with pytest.raises(RequestError, match=f"logprobs must be .*got {value!r}"):
        SamplingParams(logprobs=value)
