"""transformers: `generate`, plain or with prompt lookup decoding (Saxena 2023)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.generation.streamers import BaseStreamer


def load(config: dict[str, Any]) -> Callable[..., None]:
    """Mode: `lookup` (draft tokens of a step; plain without it)."""
    torch.set_num_threads(config["threads"])
    dtype = torch.bfloat16 if config["bf16"] else torch.float32
    model = AutoModelForCausalLM.from_pretrained(config["model"], dtype=dtype).eval()
    chosen = {"do_sample": False, "eos_token_id": config["eos_ids"], "pad_token_id": 0}

    @torch.inference_mode()
    def generate(
        ids: list[int], max_tokens: int, mode: dict[str, Any], emit: Callable[[list[int]], None]
    ) -> None:
        prompt = torch.tensor([ids])
        model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=max_tokens,
            streamer=_Streamer(emit),
            prompt_lookup_num_tokens=mode.get("lookup"),
            **chosen,
        )

    return generate


class _Streamer(BaseStreamer):
    """Passes new tokens on. What is put first is the prompt."""

    def __init__(self, emit: Callable[[list[int]], None]) -> None:
        self._emit, self._prompt_came = emit, False

    def put(self, value: torch.Tensor) -> None:
        if self._prompt_came:
            self._emit(value.reshape(-1).tolist())
        self._prompt_came = True

    def end(self) -> None:
        pass
