"""OpenVINO GenAI's `LLMPipeline` on a GGUF file, plain or with prompt lookup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import openvino
import openvino_genai


def load(config: dict[str, Any]) -> Callable[..., None]:
    """Options: `lookup` (draft tokens of a step; 0 is plain), `ngram` (longest match)."""
    lookup = config["options"].get("lookup", 0)
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False  # a prompt is asked more than once
    scheduler.max_num_batched_tokens = config["context"]
    chosen = {"scheduler_config": scheduler, "INFERENCE_NUM_THREADS": config["threads"]}
    if lookup:
        chosen["prompt_lookup"] = True
    pipeline = openvino_genai.LLMPipeline(config["model"], "CPU", chosen)

    def generate(
        ids: list[int], max_tokens: int, mode: dict[str, Any], emit: Callable[[list[int]], None]
    ) -> None:
        wanted = openvino_genai.GenerationConfig()
        wanted.do_sample, wanted.max_new_tokens = False, max_tokens
        wanted.stop_token_ids = set(config["eos_ids"])
        if lookup:
            wanted.num_assistant_tokens = lookup
            wanted.max_ngram_size = config["options"]["ngram"]
        prompt = numpy.array([ids], dtype=numpy.int64)
        tensors = (openvino.Tensor(prompt), openvino.Tensor(numpy.ones_like(prompt)))
        pipeline.generate(openvino_genai.TokenizedInputs(*tensors), wanted, _Streamer(emit))

    return generate


class _Streamer(openvino_genai.StreamerBase):
    """Passes new tokens on."""

    def __init__(self, emit: Callable[[list[int]], None]) -> None:
        super().__init__()
        self._emit = emit

    def write(self, token: int | list[int]) -> openvino_genai.StreamingStatus:
        self._emit([token] if isinstance(token, int) else token)
        return openvino_genai.StreamingStatus.RUNNING

    def end(self) -> None:
        pass
