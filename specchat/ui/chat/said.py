"""What people and models say, as the chatbot takes it: HTML or Markdown that loads nothing.

What somebody typed is shown as typed, character by character. A model may write Markdown, for it is
taught to, but no HTML and no picture: a picture is fetched by the reader's browser from wherever
the text says.
"""

from __future__ import annotations

import re
from html import escape, unescape

from specchat.ui.shared.token_highlights import LINE_END

_MARKS = re.compile(r"[!-/:-@\[-`{-~\t\xa0]")
_CODE = re.compile(r"```[^\n`]*\n(?P<block>.*?)(?:\n?```|\Z)|`(?P<inline>[^`\n]+)`", re.DOTALL)
_LINK = re.compile(r"https?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}]")
_TYPED = re.compile(r'<div class="sc-typed">(.*)</div>', re.DOTALL)


def typed(text: str) -> str:
    """HTML of a text as it was typed, on one line: no character of it is markup."""
    return f'<div class="sc-typed">{_literal(text)}</div>'


def written(text: str) -> str:
    """The same of what a colleague wrote, whose web addresses can be followed."""
    parts, at = [], 0
    for found in _LINK.finditer(text):
        parts += [_literal(text[at : found.start()]), _link(found[0])]
        at = found.end()
    return f'<div class="sc-typed">{"".join(parts)}{_literal(text[at:])}</div>'


def typed_text(shown: str) -> str:
    """What was typed, from what `typed` made of it; any other text as it is."""
    found = _TYPED.fullmatch(shown.strip())
    return shown if found is None else unescape(found[1].replace("<br>", "\n"))


def formatted(text: str) -> str:
    """Markdown of a model: without HTML, pictures, and languages of code that would be drawn."""
    parts, at = [], 0
    for found in _CODE.finditer(text):
        parts += [_harmless(text[at : found.start()]), _code(found)]
        at = found.end()
    return "".join([*parts, _harmless(text[at:])])


def _literal(text: str) -> str:
    encoded = _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", text)
    return LINE_END.sub("<br>", encoded)


def _link(address: str) -> str:
    shown = escape(address)
    return f'<a href="{shown}" target="_blank" rel="noopener noreferrer">{_literal(address)}</a>'


def _harmless(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("![", "&#33;[")


def _code(found: re.Match[str]) -> str:
    if found["inline"] is not None:
        return f"<code>{_literal(found['inline'])}</code>"
    lines = _literal(found["block"]).replace("<br>", "&#10;")
    return f"<pre><code>{lines}</code></pre>\n"
