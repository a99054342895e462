"""The OpenAPI description is true: of what is sent, and of what may be asked."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import checks

from specchat.api.answers import shapes
from tests.api.conftest import Server

HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def post(server: Server, path: str, body: dict[str, Any]) -> Any:
    with server.http() as http:
        return http.post(f"/v1/{path}", json=body).json()


def test_what_is_sent_has_the_described_shape(server: Server) -> None:
    asked = {"model": server.model, "max_tokens": 3}
    for more in ({}, {"n": 2}, {"logprobs": True, "top_logprobs": 1}, {"speculation": "off"}):
        body = post(server, "chat/completions", {**asked, "messages": HELLO, **more})
        shapes.ChatCompletion.model_validate(body, strict=True)
    for text in ("hello", "where is order 4417?", "a person please", "How long is delivery?"):
        messages = [{"role": "user", "content": text}]
        body = post(server, "chat/completions", {"model": "care-assistant", "messages": messages})
        assert shapes.ChatCompletion.model_validate(body, strict=True).care
    for more in ({}, {"logprobs": 1}, {"prompt": ["a", "b"]}):
        body = post(server, "completions", {**asked, "prompt": "hello", **more})
        shapes.Completion.model_validate(body, strict=True)
    shapes.Failed.model_validate(post(server, "completions", {}), strict=True)
    with server.http() as http:
        shapes.ModelList.model_validate(http.get("/v1/models").json(), strict=True)
        shapes.Health.model_validate(http.get("/health").json(), strict=True)


def test_every_field_of_a_body_is_described(server: Server) -> None:
    with server.http() as http:
        schema = http.get("/v1/openapi.json").json()
    assert set(schema["paths"]) == {
        "/v1/chat/completions", "/v1/completions", "/v1/models", "/v1/models/{model}", "/health",
        "/metrics",
    }  # fmt: skip
    fields = schema["components"]["schemas"]["ChatRequest"]["properties"]
    assert {"model", "messages", "stream", "speculation", "max_completion_tokens"} <= set(fields)
    assert "response_format" not in fields
    assert "#/$defs/" not in json.dumps(schema)


@pytest.fixture
def schema(server: Server) -> Any:
    """The description as schemathesis reads it; the model's name is given, else all is refused."""
    described = server.api.app.openapi()
    described = json.loads(json.dumps(described))
    for body in ("ChatRequest", "CompletionRequest"):
        properties = described["components"]["schemas"][body]["properties"]
        properties["model"]["enum"] = [server.model, "care-assistant"]
        properties["max_tokens"] = {"type": ["integer", "null"], "minimum": 1, "maximum": 4}
        properties.pop("max_completion_tokens", None)
    return schemathesis.openapi.from_dict(described)


@pytest.mark.parametrize(
    ("method", "path", "examples", "expected"),
    [
        ("POST", "/v1/chat/completions", 60, {200, 400}),
        ("POST", "/v1/completions", 60, {200, 400}),
        ("GET", "/v1/models", 3, {200}),
        ("GET", "/v1/models/{model}", 15, {404}),
        ("GET", "/health", 2, {200}),
        ("GET", "/metrics", 2, {200}),
    ],
)
def test_nothing_that_is_asked_is_a_fault_of_ours(
    server: Server, schema: Any, method: str, path: str, examples: int, expected: set[int]
) -> None:
    operation = schema[path][method]
    statuses = set()

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(
        hypothesis.strategies.one_of(
            operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
        )
    )
    def asked(case: Any) -> None:
        answer = case.call(base_url=server.url, timeout=120)
        statuses.add(answer.status_code)
        case.validate_response(
            answer,
            checks=[
                checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )

    asked()
    assert statuses >= expected
