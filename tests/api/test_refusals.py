"""What is not supported or wrong is refused by its name, in OpenAI's shape; nothing is ignored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Server

HELLO = [{"role": "user", "content": "hello"}]


def post(server: Server, path: str, body: Any, **options: Any) -> Any:
    with server.http() as http:
        return http.post(f"/v1/{path}", json=body, **options)


def refusal(server: Server, given: dict[str, Any], path: str = "chat/completions") -> Any:
    """The error of a request that is wrong in one place."""
    base = {"prompt": "hello"} if path == "completions" else {"messages": HELLO}
    answer = post(server, path, {"model": server.model, "max_tokens": 2, **base, **given})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("response_format", {"type": "json_object"}),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("tool_choice", "required"),
        ("functions", [{"name": "f"}]),
        ("function_call", {"name": "f"}),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy"}),
        ("prediction", {"type": "content", "content": "hello"}),
        ("store", True),
        ("metadata", {"a": "b"}),
        ("service_tier", "flex"),
        ("reasoning_effort", "high"),
        ("web_search_options", {}),
        ("min_tokens", 3),
        ("echo", True),
        ("chat_template", "{{ messages }}"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(server: Server, name: str, value: Any) -> None:
    error = refusal(server, {name: value})
    assert error["param"] == name
    assert error["code"] == "unsupported_parameter"
    assert name in error["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("suffix", "the end"), ("best_of", 3), ("echo", True), ("tools", [{}])],
)
def test_a_completion_refuses_its_own(server: Server, name: str, value: Any) -> None:
    assert refusal(server, {name: value}, "completions")["param"] == name


def test_what_asks_for_nothing_is_accepted(server: Server) -> None:
    neutral = {
        "response_format": {"type": "text"}, "tools": None, "tool_choice": "none", "n": 1,
        "functions": [], "modalities": ["text"], "audio": None, "store": False, "metadata": {},
        "service_tier": "auto", "logit_bias": {}, "presence_penalty": 0, "frequency_penalty": 0.0,
        "stop": None, "logprobs": False, "top_logprobs": None, "seed": None, "user": None,
        "stream": False, "stream_options": None, "parallel_tool_calls": True, "top_k": -1,
        "temperature": None, "top_p": None, "speculation": None, "reasoning_effort": None,
    }  # fmt: skip
    body = {"model": server.model, "messages": HELLO, "max_tokens": 2}
    answer = post(server, "chat/completions", {**body, **neutral})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("given", "param", "said"),
    [
        ({"temperature": 9}, "temperature", "from 0 to 5"),
        ({"temperature": "0.5"}, "temperature", "number"),
        ({"temperature": True}, "temperature", "number"),
        ({"top_p": 0}, "top_p", "above 0"),
        ({"top_k": -2}, "top_k", "greater than or equal to -1"),
        ({"min_p": 2}, "min_p", "from 0 to 1"),
        ({"presence_penalty": 11}, "presence_penalty", "from -10 to 10"),
        ({"frequency_penalty": -11}, "frequency_penalty", "from -10 to 10"),
        ({"repetition_penalty": 0}, "repetition_penalty", "from 0.01 to 10"),
        ({"seed": -1}, "seed", "from 0"),
        ({"seed": 2**63}, "seed", "from 0"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, "max_tokens", "send one"),
        ({"n": 0}, "n", "greater than or equal to 1"),
        ({"n": 9}, "n", "less than or equal to 8"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "at most 4"),
        ({"stop": ""}, "stop", "1 to 256 characters"),
        ({"stop": 3}, "stop", "got 3"),
        ({"logit_bias": {"x": 1}}, "logit_bias", "token ids"),
        ({"logit_bias": {"99999": 1}}, "logit_bias", "token ids"),
        ({"logit_bias": {"5": 101}}, "logit_bias", "from -100 to 100"),
        ({"top_logprobs": 3}, "top_logprobs", "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "less than or equal to 20"),
        ({"stop_token_ids": [99999]}, "stop_token_ids", "token ids"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options", "False"),
        ({"stream_options": {"other": 1}}, "stream_options", "unknown parameter"),
        ({"tempreature": 1}, "tempreature", "unknown parameter: tempreature"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": "hello"}, "messages", "list"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages", "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages", "messages[0].content"),
        ({"messages": [{**HELLO[0], "name": "ann"}]}, "messages", "messages[0].name"),
        ({"messages": [{**HELLO[0], "extra": 1}]}, "messages", "messages[0].extra"),
        (
            {"messages": [{"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]},
            "messages",
            "messages[0].tool_calls",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "see"},
                            {"type": "image_url", "image_url": {"url": "data:,"}},
                        ],
                    }
                ]
            },
            "messages",
            "messages[0].content[1].type",
        ),
    ],
)
def test_a_wrong_value_is_named(
    server: Server, given: dict[str, Any], param: str, said: str
) -> None:
    error = refusal(server, given)
    assert error["param"] == param
    assert said in error["message"]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": [99999]}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["a"] * 5, "n": 2}, "n"),
        ({"logprobs": 6}, "logprobs"),
    ],
)
def test_a_wrong_completion_is_named(server: Server, given: dict[str, Any], param: str) -> None:
    assert refusal(server, given, "completions")["param"] == param


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
def test_what_is_missing_is_named(server: Server, path: str) -> None:
    answer = post(server, path, {})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "missing_parameter"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b"null", b'"x"', b'{"n": NaN}', b"\xff", b"[" * 60_000, b"9" * 9_000],
)
def test_a_body_that_is_no_object_of_json_is_refused(server: Server, body: bytes) -> None:
    with server.http() as http:
        kind = {"Content-Type": "application/json"}
        answer = http.post("/v1/chat/completions", content=body, headers=kind)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_lone_surrogates_are_refused_and_do_no_harm(server: Server) -> None:
    with server.http() as http:
        kind = {"Content-Type": "application/json"}
        for path, field in (
            ("chat/completions", b'"messages": [{"role": "user", "content": "\\ud800"}]'),
            ("completions", b'"prompt": "\\ud800"'),
        ):
            body = b'{"model": "%s", %s}' % (server.model.encode(), field)
            answer = http.post(f"/v1/{path}", content=body, headers=kind)
            assert answer.status_code == 400


def test_a_body_that_is_not_sent_as_json_is_refused(server: Server) -> None:
    with server.http() as http:  # what a page of somebody else can send without asking
        answer = http.post(
            "/v1/chat/completions", content=b"{}", headers={"Content-Type": "text/plain"}
        )
    assert answer.status_code == 415
    assert "application/json" in answer.json()["error"]["message"]


def test_what_is_not_there_is_said_in_the_same_shape(server: Server) -> None:
    with server.http() as http:
        assert http.get("/v1/embeddings").json()["error"]["code"] == "unknown_url"
        wrong = http.get("/v1/chat/completions")
    assert wrong.status_code == 405
    assert wrong.json()["error"]["code"] == "method_not_allowed"


def test_what_is_refused_does_not_disturb_who_is_answered(server: Server) -> None:
    asked: dict[str, Any] = {
        "model": server.model, "messages": HELLO, "max_tokens": 300, "temperature": 0.7, "seed": 5,
        "extra_body": {"ignore_eos": True},
    }  # fmt: skip
    alone = server.client().chat.completions.create(**asked).choices[0].message.content
    stream = server.client().chat.completions.create(**asked, stream=True)
    said = [next(iter(stream)).choices[0].delta.content or ""]
    for hostile in (
        {"n": 10**9}, {"top_logprobs": -1}, {"stop": ["x"] * 99}, {"temperature": 1e308},
        {"logit_bias": {str(token): 101 for token in range(300)}}, {"seed": 2**70},
        {"max_tokens": 10**12}, {"frequency_penalty": -1e9}, {"speculation": ["x"] * 8},
    ):  # fmt: skip
        refusal(server, hostile)
    said += [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(said) == alone
