"""Imported text is data: what could steer a model or a page is taken out of it."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"  # tags: a text that only programs see
)
_PICTURE = re.compile(r"!\[([^\[\]]*)\](?:\([^()\s]*(?:\s[^()]*)?\)|\[[^\[\]]*\])?")
_MARKERS = re.compile(
    r"<\|\s*([^<>|]{1,40}?)\s*\|>"  # <|im_start|>, <|eot_id|>
    r"|<<\s*/?(SYS)\s*>>"  # Llama 2
    r"|\[\s*/?\s*(INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\s*\]"
    r"|</?(s|bos|eos|pad|unk|start_of_turn|end_of_turn|think|tool_call|system|assistant|user)>",
    re.IGNORECASE,
)
_MOST_NESTED = 8
_BRACKETS = dict.fromkeys(map(ord, "<>[]|!"))
_BLANKS = re.compile(r"[^\S\n]+")


def cleaned(text: str) -> str:
    """The text in one Unicode form, without characters that nobody sees, chat-template markers, and
    Markdown pictures, which whoever shows the text would fetch.

    Of a marker its name stays, so that a page about markers still says what it says, and of a
    picture what it shows.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _CONTROL.sub("", text.replace("\t", " "))
    for _ in range(_MOST_NESTED):  # what is left may be a marker again: "<|<|x|>|>"
        before, text = text, _PICTURE.sub(r"\1", _MARKERS.sub(_name, text))
        if text == before:
            return text
    return text.translate(_BRACKETS)


def _name(marker: re.Match[str]) -> str:
    return next(filter(None, marker.groups()), "")


def one_line(text: str) -> str:
    """The text cleaned, on one line."""
    return _BLANKS.sub(" ", cleaned(text).replace("\n", " ")).strip()
