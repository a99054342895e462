"""E-mail addresses, also those that are spelled out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.spans import Span

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.!#$%&'*+/=?^{|}~-]{1,64}\s?(?:@|\(at\)|\[at\])\s?(?:[\w-]{1,63}(?:\.|\s\.\s|"
    r"\s?(?:\(dot\)|\[dot\]|\sdot\s)\s?)){1,5}[^\W\d_]{2,24}",
    re.IGNORECASE,
)
_EMAIL_SPOKEN = re.compile(
    r"(?<![\w.+-])(?:[\w.+-]{1,40} (?:dot|punkt|underscore|dash|minus) ){0,3}"
    r"[\w.+-]{1,64}\s{1,3}(?:at|arobase|arroba|małpa)\s{1,3}[\w-]{2,63}"
    r"(?:(?<!\bany)\s{1,3}(?:dot|punkt|point|punto|kropka)\s{1,3}[^\W\d_]{2,24}){1,3}\b",
    re.IGNORECASE,
)

_IN_LINK = re.compile(r"://[^\s/@]{0,150}:\Z")  # user:password@host


def emails(text: str) -> Iterable[Span]:
    """E-mail addresses: "ann@mail.example", "ann (at) mail "
    "(dot) example", "ann at mail dot com"."""
    for match in matches(text, _EMAIL, _EMAIL_SPOKEN):
        if not _IN_LINK.search(text[max(0, match.start() - 200) : match.start()]):
            yield Span(*match.span(), "email")
