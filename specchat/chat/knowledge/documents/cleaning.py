"""Imported text is data: what could steer a model or a page is taken out of it."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_MARKERS = re.compile(
    r"<\|\s*([^<>|]{1,40}?)\s*\|>"  # <|im_start|>, <|eot_id|>
    r"|<<\s*/?(SYS)\s*>>"  # Llama 2
    r"|\[\s*/?\s*(INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\s*\]"
    r"|</?(s|bos|eos|pad|unk|start_of_turn|end_of_turn|think|tool_call|system|assistant|user)>",
    re.IGNORECASE,
)
_BLANKS = re.compile(r"[^\S\n]+")


def cleaned(text: str) -> str:
    """The text in one Unicode form, without control characters and chat-template markers.

    Of a marker its name stays, so that a page about markers still says what it says.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _CONTROL.sub("", text.replace("\u00ad", "").replace("\t", " "))
    while _MARKERS.search(text):  # what is left may be a marker again: "<|<|x|>|>"
        text = _MARKERS.sub(lambda marker: next(filter(None, marker.groups()), ""), text)
    return text


def one_line(text: str) -> str:
    """The text cleaned, on one line."""
    return _BLANKS.sub(" ", cleaned(text).replace("\n", " ")).strip()
