"""vLLM's engine on CPU, in this process, plain or with n-grams of the prompt as drafts."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any

os.environ["VLLM_CPU_KVCACHE_SPACE"] = "2"  # GiB; these are read as vLLM is imported
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
os.environ["VLLM_NO_USAGE_STATS"] = "1"

from vllm import EngineArgs, LLMEngine, SamplingParams
from vllm.sampling_params import RequestOutputKind


def load(config: dict[str, Any]) -> Callable[..., None]:
    """Options: `drafted` (tokens of a step; 0 is plain), `ngram` (longest match)."""
    engine = LLMEngine.from_engine_args(
        EngineArgs(
            model=config["model"],
            dtype="bfloat16" if config["bf16"] else "float32",
            max_model_len=config["context"],
            max_num_batched_tokens=config["context"],
            enable_prefix_caching=False,  # a prompt is asked more than once
            enforce_eager=True,
            speculative_config=_speculation(config["options"]),
        )
    )
    names = itertools.count()

    def generate(
        ids: list[int], max_tokens: int, mode: dict[str, Any], emit: Callable[[list[int]], None]
    ) -> None:
        wanted = SamplingParams(
            temperature=0.0,
            max_tokens=max_tokens,
            stop_token_ids=config["eos_ids"],
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )
        engine.add_request(str(next(names)), {"prompt_token_ids": ids}, wanted)
        while engine.has_unfinished_requests():
            for found in engine.step():
                emit(list(found.outputs[0].token_ids))

    return generate


def _speculation(options: dict[str, Any]) -> dict[str, Any] | None:
    if not options.get("drafted"):
        return None
    return {
        "method": "ngram",
        "num_speculative_tokens": options["drafted"],
        "prompt_lookup_max": options["ngram"],
    }
