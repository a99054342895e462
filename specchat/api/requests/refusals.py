"""Parameters of OpenAI's API that nothing here does: refused by name, never ignored.

Clients often send a parameter's default, so that value is accepted: it asks for nothing.
"""

from __future__ import annotations

from typing import Any

from specchat.api.errors import refused, shown

NOTHING: tuple[Any, ...] = (None,)

BOTH = {
    "response_format": (None, {"type": "text"}),
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "parallel_tool_calls": (None, True, False),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
    "modalities": (None, ["text"]),
    "audio": NOTHING,
    "prediction": NOTHING,
    "store": (None, False),
    "metadata": (None, {}),
    "service_tier": (None, "auto", "default"),
    "reasoning_effort": (None, "none"),
    "verbosity": (None, "medium"),
    "web_search_options": NOTHING,
    "prompt_cache_key": NOTHING,
    "prompt_cache_retention": NOTHING,
    "safety_identifier": NOTHING,
    "min_tokens": (None, 0),
    "length_penalty": (None, 1),
    "use_beam_search": (None, False),
    "guided_json": NOTHING,
    "structured_outputs": NOTHING,
    "priority": (None, 0),
}
"""Name -> values that ask for nothing, on both routes."""

CHAT = {**BOTH, "echo": (None, False), "continue_final_message": (None, False)}
CHAT |= {"add_generation_prompt": (None, True), "chat_template": NOTHING, "documents": NOTHING}
COMPLETION = {**BOTH, "echo": (None, False), "suffix": (None, ""), "best_of": (None, 1)}

MESSAGE = {
    "name": NOTHING,
    "refusal": NOTHING,
    "audio": NOTHING,
    "annotations": (None, []),
    "tool_calls": (None, []),
    "function_call": NOTHING,
    "tool_call_id": NOTHING,
    "reasoning_content": NOTHING,
}
"""The same of a message. A client sends back what it was given, with all its empty fields."""

PARTS = ("text", "input_text", "output_text")
ROLES = ("system", "developer", "user", "assistant")


def without_neutral(
    given: dict[str, Any], table: dict[str, tuple[Any, ...]], where: str = ""
) -> dict[str, Any]:
    """`given` without what asks for nothing.

    Raises:
        ApiError: 400, it asks for something of `table`; `where` is the place of `given`.
    """
    kept = {}
    for name, value in given.items():
        neutral = table.get(name)
        if neutral is None:
            kept[name] = value
        elif not asks_for_nothing(value, neutral):
            raise refused(
                where.partition("[")[0] or name,
                f"{where}{name} is not supported here, got {shown(value)}; leave it out",
                "unsupported_parameter",
            )
    return kept


def asks_for_nothing(value: Any, neutral: tuple[Any, ...]) -> bool:
    """True for a value that is one of the `neutral` ones."""
    return any(_same(value, one) for one in neutral)


def plain_messages(given: Any) -> Any:
    """Messages whose parts are joined to one text each; what is no list passes, to be refused.

    Raises:
        ApiError: 400, a role, a part or a field is not supported; the message names its place.
    """
    if not isinstance(given, list):
        return given
    return [_plain(each, f"messages[{index}].") for index, each in enumerate(given)]


def _plain(message: Any, where: str) -> Any:
    if not isinstance(message, dict):
        return message
    role = message.get("role")
    if isinstance(role, str) and role not in ROLES:
        raise refused(
            "messages",
            f"{where}role must be one of {', '.join(ROLES)}, got {shown(role)}",
            "unsupported_value",
        )
    kept = without_neutral(message, MESSAGE, where)
    content = kept.get("content")
    if isinstance(content, list):
        kept["content"] = "".join(
            _text(part, f"{where}content[{index}].") for index, part in enumerate(content)
        )
    return kept


def _text(part: Any, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in PARTS:
        raise refused(
            "messages",
            f"{where}type must be text, the only kind of part that is read here, got {shown(kind)}",
            "unsupported_value",
        )
    unknown = next((name for name in part if name not in ("type", "text", "annotations")), None)
    text = part.get("text")
    if unknown is not None or not isinstance(text, str):
        wrong = unknown or "text"
        raise refused(
            "messages",
            f"{where}{wrong} {'is not supported here' if unknown else 'must be a string'}, "
            f"got {shown(part.get(wrong))}",
        )
    return text


def _same(value: Any, neutral: Any) -> bool:
    """Equal and of the same kind: True is not 1."""
    return isinstance(value, bool) == isinstance(neutral, bool) and bool(value == neutral)
