"""transformers: `generate`, plain or with prompt lookup decoding (Saxena 2023)."""

import torch
from transformers import AutoModelForCausalLM
from transformers.generation.streamers import BaseStreamer


def load(config):
    """Options: `lookup` (draft tokens of a step; 0 is plain)."""
    torch.set_num_threads(config["threads"])
    dtype = torch.bfloat16 if config["bf16"] else torch.float32
    model = AutoModelForCausalLM.from_pretrained(config["model"], dtype=dtype).eval()
    chosen = {"do_sample": False, "eos_token_id": config["eos_ids"], "pad_token_id": 0}
    if config["options"].get("lookup"):
        chosen["prompt_lookup_num_tokens"] = config["options"]["lookup"]

    @torch.inference_mode()
    def generate(ids, max_tokens, emit):
        prompt = torch.tensor([ids])
        model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=max_tokens,
            streamer=_Streamer(emit),
            **chosen,
        )

    return generate


class _Streamer(BaseStreamer):
    """Passes new tokens on. What is put first is the prompt."""

    def __init__(self, emit):
        self._emit, self._prompt_came = emit, False

    def put(self, value):
        if self._prompt_came:
            self._emit(value.reshape(-1).tolist())
        self._prompt_came = True

    def end(self):
        pass
