"""Keys and tokens of programs: by their maker's spelling, by what they are called, and by looking
like nothing but chance."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from specchat.chat.redaction.spans import Span

_KNOWN_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk|pk|rk|ak|whsec)[-_](?:(?:live|test|prod|proj|ant|or|svcacct|v1)[-_]){0,2}[\w-]{12,250}"
    r"|(?:gh[pousr]|github_pat|glpat|gldt|hf|npm|pypi|dop_v1|shp(?:at|ca|pa|ss)|xox[abeoprs]|xapp"
    r"|ya29|sq0(?:atp|csp)|EAA|lin_api|figd|nvapi|gsk|r8|pat|tok|key|token|secret|api)"
    r"[-_.](?=[\w.-]{0,200}[\dA-Z])[\w.-]{16,250}"
    r"|(?:AKIA|ASIA|AROA|AGPA)[A-Z0-9]{16}|AIza[\w-]{30,40}|SG\.[\w-]{16,30}\.[\w-]{16,60}"
    r"|eyJ[\w-]{8,1000}\.[\w-]{4,1500}(?:\.[\w-]{0,1000})?"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,4000}?(?:-----END [A-Z ]{0,30}KEY-----|\Z)"
    r")"
)
_KEY_NAMED = re.compile(
    r"\b(?:(?:api|access|secret|private|auth|client|bearer|session|refresh|app|licen[sc]e|product"
    r"|activation|encryption|webhook|personal|security|id)[ _-]?)?(?:key|token|secret"
    r"|session[ _-]?id|apikey)s?\b"
    r"(?:\W{1,3}\b(?:is|was|ist|lautet|the|my|value|id|for|of|shop|api|this|that|i|got|here|now"
    r"|set|to|account)\b){0,5}"
    r"[\"':= >-]{1,5}((?=[\w./+=~-]{0,80}\d)(?=[\w./+=~-]{0,80}[A-Za-z])[\w./+=~-]{10,500}"
    r"|[A-Za-z_-]{20,500})"
    r"|\bbearer (?=[\w./+=~-]{0,80}(?-i:[\dA-Z]))([\w./+=~-]{12,1500})",
    re.IGNORECASE,
)
_LONG_WORD = re.compile(r"(?<![\w.+-])[A-Za-z0-9_+]{20,400}={0,2}(?![\w+-])")
_HEX = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
_LEAST_CHANGES = 0.46
"""Of neighbours in a random word of letters and digits half are of different sorts; in a name of a
product that is written together, such as iPhone15ProMax256GB, fewer."""


def keys(text: str) -> Iterable[Span]:
    """API keys, tokens and private keys "
    "(`key`), by their maker's spelling, by what they are called,
    and by looking like nothing but chance."""
    for match in _KNOWN_KEYS.finditer(text):
        yield Span(match.start(), match.start() + len(match[0].rstrip(".-")), "key")
    for match in _KEY_NAMED.finditer(text):
        group = 1 if match[1] else 2
        start = match.start(group)
        yield Span(start, start + len(match[group].rstrip(".-")), "key")
    for match in _LONG_WORD.finditer(text):
        if _is_random(match[0]):
            yield Span(*match.span(), "key")


def _is_random(word: str) -> bool:
    if _HEX.fullmatch(word):
        return not word.isdigit() and not word.isalpha()
    sorts = [character.isdigit() + 2 * character.isupper() for character in word]
    changes = sum(one != other for one, other in pairwise(sorts))
    return changes >= _LEAST_CHANGES * (len(word) - 1) and len(set(sorts)) > 1
