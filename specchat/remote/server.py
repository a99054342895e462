"""A server as it describes itself: which model it serves, how much it reads, what it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from specchat.engine.errors import ModelLoadError

VLLM, OURS = "vllm", "specchat"
"""Owners of the models that vLLM and our own API list."""

CONNECT_S = 10.0
READ_S = 300.0
"""Longest silence of a server: a full one keeps a request waiting before its first token."""
TIMEOUT = httpx.Timeout(READ_S, connect=CONNECT_S)

_ASSISTANT = "care-assistant"
"""Listed by our own API beside the model: it looks things up itself, which is done here already."""
_COUNTERS = (
    "vllm:spec_decode_num_drafts_total",
    "vllm:spec_decode_num_draft_tokens_total",
    "vllm:spec_decode_num_accepted_tokens_total",
)


@dataclass(frozen=True, slots=True)
class Server:
    """One OpenAI-compatible server and the model that it is asked for."""

    base: str  # URL that ends with /v1
    key: str | None
    model: str  # as the server calls it
    root: str  # where its files are from, as far as the server says
    owner: str  # `VLLM`, `OURS` or another
    context: int | None  # tokens; None where the server does not say
    counts: bool  # has vLLM's counters of speculation

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        return headers(self.key)

    @property
    def place(self) -> str:
        """Host and port."""
        return httpx.URL(self.base).netloc.decode()

    @property
    def metrics_url(self) -> str:
        """Where Prometheus reads."""
        return f"{self.base.removesuffix('/v1')}/metrics"


@dataclass(frozen=True, slots=True)
class Counted:
    """vLLM's counters of speculation, of everything that a server does."""

    steps: int  # that verified drafts
    drafted: int
    accepted: int

    def since(self, before: Counted) -> Counted:
        """What was added; nothing where the server was started anew meanwhile."""
        return Counted(
            max(0, self.steps - before.steps),
            max(0, self.drafted - before.drafted),
            max(0, self.accepted - before.accepted),
        )


def find_server(url: str, key: str | None, wanted: str | None) -> Server:
    """Ask a server what it serves. `wanted` is the model, a name or a directory; None takes the
    only one.

    Raises:
        ModelLoadError: no OpenAI-compatible server answers there, or it has no such model.
    """
    base = url.rstrip("/")
    base = base if base.endswith("/v1") else f"{base}/v1"
    with httpx.Client(headers=headers(key), timeout=CONNECT_S) as client:
        card = _chosen(_cards(client, base), wanted, base)
        server = Server(
            base, key, str(card["id"]), str(card.get("root") or card["id"]),
            str(card.get("owned_by") or ""), _context(card), counts=False,
        )  # fmt: skip
        try:
            counted = read_counters(client.get(server.metrics_url).text)
        except (httpx.HTTPError, ValueError):
            counted = None
    return replace(server, counts=counted is not None)


def headers(key: str | None) -> dict[str, str]:
    """What shows a key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def read_counters(text: str) -> Counted | None:
    """vLLM's counters in Prometheus' text format, of all its engines together; None where they are
    not among it. Raises ValueError where it is no such format."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in _COUNTERS:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    if len(sums) < len(_COUNTERS):
        return None
    steps, drafted, accepted = (int(sums[name]) for name in _COUNTERS)
    return Counted(steps, drafted, accepted)


def _cards(client: httpx.Client, base: str) -> list[dict[str, Any]]:
    try:
        answer = client.get(f"{base}/models")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelLoadError(
            f"no server answers at {base}: {str(error) or type(error).__name__}. "
            "Start it, or correct SPECCHAT_BASE_URL"
        ) from None
    if answer.status_code in (401, 403):
        raise ModelLoadError(
            f"the server at {base} wants another key than SPECCHAT_BASE_KEY "
            f"(status {answer.status_code})"
        )
    try:
        cards = answer.raise_for_status().json()["data"]
        return [card for card in cards if card["id"]]
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
        raise ModelLoadError(
            f"{base} is no OpenAI-compatible server: its /models answers with status "
            f"{answer.status_code} and no list of models; correct SPECCHAT_BASE_URL"
        ) from None


def _chosen(cards: Sequence[dict[str, Any]], wanted: str | None, base: str) -> dict[str, Any]:
    models = [card for card in cards if card["id"] != _ASSISTANT]
    names = {wanted, Path(wanted).name} if wanted else set()
    named = [card for card in models if names & {card["id"], card.get("root")}]
    if named:
        return named[0]
    if len(models) == 1:
        return models[0]
    listed = ", ".join(str(card["id"]) for card in models) or "no model"
    raise ModelLoadError(f"the server at {base} has {listed}; set SPECCHAT_MODEL to one of them")


def _context(card: dict[str, Any]) -> int | None:
    """vLLM and our own API name it so; llama.cpp says what the model was trained with."""
    meta = card.get("meta")
    found = card.get("max_model_len") or (isinstance(meta, dict) and meta.get("n_ctx_train"))
    return found if isinstance(found, int) and found > 0 else None
