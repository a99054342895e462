"""Our own engine behind the same protocol as its peers; run by `workers/loop.py` too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specchat import gc_pauses
from specchat.bench.arms import arm_request
from specchat.bench.race_series import wait_until_ready
from specchat.engine.request import SamplingParams
from specchat.loader import LoadOptions
from specchat.loader import load as load_model


def load(config: dict[str, Any]) -> Callable[..., None]:
    """Options: `quantize` ("int8", "int4"; without it weights in bf16). Mode: `speculate`."""
    options = LoadOptions(
        model=config["model"],
        device="cpu",
        dtype="bfloat16",
        threads=config["threads"],
        quantize=config["options"].get("quantize"),
    )
    engine = load_model(options).engine
    wait_until_ready(engine)
    gc_pauses.shorten()

    def generate(
        ids: list[int], max_tokens: int, mode: dict[str, Any], emit: Callable[[list[int]], None]
    ) -> None:
        params = SamplingParams(max_tokens=max_tokens, temperature=0.0)
        request = arm_request(ids, params, speculate=mode["speculate"], salt="peers")
        with engine.submit(request) as stream:
            for delta in stream:
                emit([token.token_id for token in delta.tokens])

    return generate
