"""Who is let in: with keys their owners, without keys this machine alone; each so often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from openai import AuthenticationError, OpenAI, RateLimitError
from starlette.testclient import TestClient

from specchat.api import build_api
from specchat.api.access import is_loopback
from tests.api.conftest import Server

KEYS = ("key-of-the-website", "key-of-the-shop-app")
PROTECTED = (
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/care-assistant"),
    ("GET", "/metrics"),
)
OPEN = (("GET", "/health"), ("GET", "/v1/openapi.json"))


@pytest.fixture(scope="module")
def guarded(serve: Callable[..., Any]) -> Iterator[Server]:
    """With two keys, each of which may ask three times a minute."""
    with serve(keys=KEYS, rate="3/minute;100/day") as made:
        yield made


def ask(client: OpenAI, model: str) -> Any:
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hi"}], max_tokens=1
    )


def _routes(server: Server) -> list[Any]:
    routes: list[Any] = server.api.app.routes
    return routes


def test_every_route_is_one_or_the_other(guarded: Server) -> None:
    """Those too that the description leaves out."""
    routes = {(method, route.path) for route in _routes(guarded) for method in route.methods}
    known = {
        (method, path.replace("care-assistant", "{model:path}"))
        for method, path in (*PROTECTED, *OPEN)
    }
    assert {(method, path) for method, path in routes if method != "HEAD"} == known


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer key-of-the-websit", "Basic key-of-the-website",
               "key-of-the-website", "Bearer key-of-the-website key-of-the-shop-app"],
)  # fmt: skip
def test_without_a_right_key_nothing_is_said(
    guarded: Server, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = httpx.request(method, guarded.url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_what_tells_nothing_needs_no_key(guarded: Server, method: str, path: str) -> None:
    assert httpx.request(method, guarded.url + path).status_code == 200


def test_the_client_says_that_the_key_is_wrong(guarded: Server) -> None:
    with pytest.raises(AuthenticationError) as refused:
        ask(guarded.client("wrong-wrong-wrong"), guarded.model)
    assert refused.value.code == "invalid_api_key"


def test_a_key_is_good_for_so_many_requests_and_another_one_for_its_own(guarded: Server) -> None:
    first, second = (guarded.client(key) for key in KEYS)
    for _ in range(3):
        assert ask(first, guarded.model).usage.completion_tokens == 1
    with pytest.raises(RateLimitError, match="3 per 1 minute") as refused:
        ask(first, guarded.model)
    assert refused.value.code == "rate_limit_exceeded"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert ask(second, guarded.model).usage.completion_tokens == 1
    assert first.models.list().data  # what costs nothing is not counted


def test_two_keys_share_no_cached_prompts(serve: Callable[..., Any]) -> None:
    keys = ("key-of-the-first-shop", "key-of-the-second-shop")
    with serve(keys=keys) as server:
        message = {"role": "user", "content": "A question about the bilby lamp. " * 8}

        def cached(key: str) -> int:
            said: Any = server.client(key).chat.completions.create(
                model=server.model, messages=[message], max_tokens=1
            )
            return int(said.usage.prompt_tokens_details.cached_tokens)

        assert cached(keys[0]) == 0
        assert cached(keys[0]) > 0
        assert cached(keys[1]) == 0


def test_without_keys_programs_of_this_machine_are_let_in(server: Server) -> None:
    for name in ("127.0.0.1", "localhost"):
        url = server.url.replace("127.0.0.1", name)
        assert httpx.get(f"{url}/v1/models").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
    ],
)
def test_without_keys_neither_a_proxy_nor_a_borrowed_name_is(
    server: Server, header: dict[str, str]
) -> None:
    answer = httpx.get(f"{server.url}/v1/models", headers=header)
    assert answer.status_code == 401
    assert "SPECCHAT_API_KEYS" in answer.json()["error"]["message"]


def test_without_keys_nobody_is_where_others_are_listened_to(server: Server) -> None:
    api = build_api(server.loaded, server.service, host="0.0.0.0")
    assert "closed" in api.access.rule
    with TestClient(api.app, base_url="http://127.0.0.1", client=("127.0.0.1", 5)) as http:
        assert http.get("/v1/models").status_code == 401
        assert http.get("/metrics").status_code == 401
        assert http.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("0.0.0.0", False),
     ("::", False), ("192.168.1.4", False), ("shop.example", False), ("", False)],
)  # fmt: skip
def test_addresses_that_only_this_machine_reaches(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
