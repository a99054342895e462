"""The loop of every worker: one prompt a line in, one answer a line out, as JSON.

`python loop.py PEER.py CONFIG`, with the peer's own interpreter. PEER.py has one function,
`load(config)`, which returns `generate(ids, max_tokens, mode, emit)`: it calls `emit` with the ids
of new tokens as they come. CONFIG is a JSON object: `model` (a path), `threads`, `eos_ids`,
`context` (most tokens of prompt and answer), `bf16` (the processor multiplies it), `options`.

The first line out is `{"ready": true}`. Then `{"ids": [...], "max_tokens": n, "mode": {...}}` is
answered by `{"ids", "first_ms", "last_ms", "total_ms"}`, since the prompt was read, and what goes
wrong by `{"error": "..."}`. Every peer is timed here, by the same clock.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable
from types import ModuleType
from typing import IO, Any


def main() -> None:
    """Loads the peer and answers until the input ends."""
    replies = _own_stdout()
    config = json.loads(sys.argv[2])
    try:
        generate = _module(sys.argv[1]).load(config)
    except Exception as error:
        _say(replies, {"error": _told(error)})
        raise
    _say(replies, {"ready": True})
    for line in sys.stdin:
        try:
            answer = timed(generate, json.loads(line), config["eos_ids"])
        except Exception as error:
            answer = {"error": _told(error)}
        _say(replies, answer)


def timed(
    generate: Callable[..., None], request: dict[str, Any], eos_ids: Collection[int]
) -> dict[str, Any]:
    """One answer without the token that ended it, and when its tokens came, in milliseconds."""
    ids: list[int] = []
    times: list[float] = []
    start = time.perf_counter()

    def emit(tokens: Iterable[int]) -> None:
        at_ms = (time.perf_counter() - start) * 1000
        ids.extend(int(token) for token in tokens)
        times.extend([at_ms] * (len(ids) - len(times)))

    generate(request["ids"], request["max_tokens"], request["mode"], emit)
    total_ms = (time.perf_counter() - start) * 1000
    ends = (at for at, token in enumerate(ids) if token in eos_ids)
    length = min(next(ends, len(ids)), request["max_tokens"])
    return {
        "ids": ids[:length],
        "first_ms": times[0] if times else total_ms,
        "last_ms": times[max(length, 1) - 1] if times else total_ms,
        "total_ms": total_ms,
    }


def _own_stdout() -> IO[str]:
    """The stream of replies; whatever a library prints goes to stderr instead."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("peer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _say(replies: IO[str], value: dict[str, Any]) -> None:
    replies.write(json.dumps(value) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
