"""The page's endpoints over HTTP, those too that only its own buttons use."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx

_EVENT = {
    "index": [0, 0], "value": "Where is it?", "previous_value": "Where?", "liked": False,
}  # fmt: skip


def endpoints(http: httpx.Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that can be called, with a name that tells what it is."""
    config = http.get("/config").json()
    known = {each["id"]: each for each in config["components"]}
    for each in config["dependencies"]:
        if each["backend_fn"]:
            function = re.sub(r"_\d+$", "", each["api_name"])
            yield f"{function} {_trigger(each, known)}", {**each, "known": known}


def by_name(http: httpx.Client, name: str) -> dict[str, Any]:
    """The first endpoint of that name."""
    return next(endpoint for found, endpoint in endpoints(http) if found == name)


def call(
    http: httpx.Client, endpoint: dict[str, Any], data: list[Any], session: str | None = None
) -> str:
    """Call an endpoint as the page does, of the tab `session` (None: a new one); all that comes
    back."""
    session = session or secrets.token_hex(8)
    trigger = endpoint["targets"][0][0] if endpoint["targets"] else None
    body = {
        "data": data, "fn_index": endpoint["id"], "session_hash": session, "trigger_id": trigger,
        "event_data": _EVENT if trigger is not None else None,
    }  # fmt: skip
    joined = http.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined.text
    came = ""
    with http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            came += line
            if '"process_completed"' in line or '"close_stream"' in line:
                break
    return came


def _trigger(endpoint: dict[str, Any], known: dict[int, Any]) -> str:
    if not endpoint["targets"]:
        return "program"
    component, event = endpoint["targets"][0]
    if component not in known:
        return f"page.{event}"
    found = known[component]
    return f"{found['props'].get('elem_id') or found['type']}.{event}"
