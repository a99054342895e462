"""The page's endpoints, called as a browser calls them: what an event shows in the end."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx

from tests.ui.endpoints import endpoints

_TIMEOUT_S = 120.0
_EVENT = {"index": [0, 0], "value": "", "previous_value": "", "liked": True}


class Pages(NamedTuple):
    """The pages of the KV cache, as the dashboard's live panel counts them."""

    shared: int
    held: int
    cached: int
    free: int
    total: int


class Wire:
    """One browser's connection."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_S)
        self._known: dict[str, dict[str, Any]] = {}

    def open(self) -> None:
        """Read which endpoints there are; of those with one name the first is the customers'."""
        for name, endpoint in endpoints(self._http):
            self._known.setdefault(name, endpoint)

    def close(self) -> None:
        self._http.close()

    def press(
        self,
        name: str,
        identity: str,
        values: dict[str, Any] | None = None,
        *,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Any]:
        """Trigger an event of the page; components without a value keep what they begin with."""
        endpoint = self._known[name]
        given = {**(values or {}), "sc-identity": identity}
        inputs = [endpoint["known"][each]["props"] for each in endpoint["inputs"]]
        data = [given.get(each.get("elem_id"), each.get("value")) for each in inputs]
        return self.send(name, data, meanwhile)

    def send(
        self, name: str, data: list[Any], meanwhile: Callable[[], None] | None = None
    ) -> list[Any]:
        """Call an endpoint; what it shows in the end, empty where it refuses. `meanwhile` runs as
        soon as there is something to see. Raises httpx.HTTPError and ConnectionError."""
        endpoint, session = self._known[name], secrets.token_hex(8)
        target = endpoint["targets"][0][0] if endpoint["targets"] else None
        body = {
            "data": data, "fn_index": endpoint["id"], "session_hash": session,
            "trigger_id": target, "event_data": None if target is None else _EVENT,
        }  # fmt: skip
        self._http.post("/gradio_api/queue/join", json=body).raise_for_status()
        asked = {"session_hash": session}
        with self._http.stream("GET", "/gradio_api/queue/data", params=asked) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line else {}
                if message.get("msg") == "process_generating" and meanwhile is not None:
                    meanwhile()
                    meanwhile = None
                if message.get("msg") == "process_completed":
                    return (message["output"].get("data") or []) if message["success"] else []
        raise ConnectionError(f"{name} ended without an end")

    def pages(self) -> Pages:
        """As the dashboard shows them now."""
        (shown,) = self.send("look tabitem.select", [])
        held = {
            name: int(re.findall(rf"([\d,]+) {name}</span>", shown)[0].replace(",", ""))
            for name in ("shared", "held", "cached", "free")
        }
        total = re.findall(r"KV cache: ([\d,]+) pages", shown)[0]
        return Pages(**held, total=int(total.replace(",", "")))
