"""A client of the API as a process of its own: `python -m specchat.bench.http.client URL`.

Each line of its input is a list of bodies that are sent at once; for each line it prints one, with
what came of them in the same order.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import httpx

PATH = "/v1/completions"
PATIENCE_S = 600.0


async def ask_all(client: httpx.AsyncClient, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """All at once: milliseconds until the last answer was whole, and each one."""
    start = time.perf_counter()
    answers = await asyncio.gather(*(_ask(client, body) for body in bodies))
    return {"ms": 1000 * (time.perf_counter() - start), "answers": answers}


async def _ask(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds to the first text, and the tokens that the server counted."""
    start, first, tokens = time.perf_counter(), None, 0
    async with client.stream("POST", PATH, json=body) as response:
        if response.status_code != httpx.codes.OK:
            return {"error": (await response.aread()).decode(errors="replace")[:500]}
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line.removeprefix("data: "))
            if "error" in chunk:
                return {"error": str(chunk["error"])}
            if first is None and any(choice["text"] for choice in chunk["choices"]):
                first = 1000 * (time.perf_counter() - start)
            tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
    return {"first_ms": first, "tokens": tokens}


async def serve(url: str) -> None:
    """Answer lines of standard input until it ends."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as client:
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await ask_all(client, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
