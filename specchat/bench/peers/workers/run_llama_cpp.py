"""llama.cpp's server by xllamacpp, plain or with one of its n-gram speculations."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import xllamacpp


def load(config: dict[str, Any]) -> Callable[..., None]:
    """Options: `speculative` (a name such as "NGRAM_SIMPLE"), `size_n` (tokens that must match)
    and `size_m` (tokens drafted)."""
    params = xllamacpp.CommonParams()
    params.model.path = config["model"]
    params.n_ctx, params.n_parallel, params.n_gpu_layers = config["context"], 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config["threads"]
    params.cache_prompt, params.cache_ram_mib = False, 0
    _speculate(params.speculative, config["options"])
    server = xllamacpp.Server(params)

    def generate(
        ids: list[int], max_tokens: int, mode: dict[str, Any], emit: Callable[[list[int]], None]
    ) -> None:
        asked = {"prompt": ids, "n_predict": max_tokens, "temperature": 0, "top_k": 1}
        asked |= {"stream": True, "return_tokens": True, "cache_prompt": False}
        request = urllib.request.Request(
            f"{server.listening_address}/completion",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as events:
            for event in events:
                if event.startswith(b"data: "):
                    emit(json.loads(event[6:]).get("tokens", []))

    return generate


def _speculate(speculative: Any, options: dict[str, Any]) -> None:
    if "speculative" not in options:
        return
    kind = f"COMMON_SPECULATIVE_TYPE_{options['speculative']}"
    speculative.types = [getattr(xllamacpp.common_speculative_type, kind)]
    ngram = getattr(speculative, options["speculative"].lower())
    for name in ("size_n", "size_m"):
        if name in options:
            setattr(ngram, name, options[name])
            if getattr(ngram, name) != options[name]:
                raise ValueError(f"{name} of {kind} cannot be set")
