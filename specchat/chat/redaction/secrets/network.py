"""Addresses of computers, and secrets inside links."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.spans import Span

_IP4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IP6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?::(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])"
)
_VERSION = re.compile(
    r"(?:\b(?:(?:ver|rev|v)\b\.?|(?:version|firmware|software|build|release|updated?|driver|patch"
    r"|revision|android|ios|windows|macos|app|chapter|section|kapitel|abschnitt)\b)"
    r"[^\w.?!\n]{0,3}(?:\w{1,12}[^\w.?!\n]{1,2}){0,2}|\bv)\Z",
    re.IGNORECASE,
)
_FEWEST_HEX = 4  # characters of an address with "::" that is not a word or a time
_SECRET_NAME = (
    r"(?:access_?|refresh_?|id_?|auth_?|api_?|reset_?|session_?|login_?|csrf_?|client_?)?"
    r"(?:token|key|secret|password|passwd|pwd|pass|auth|session|sessionid|sid|sig|signature|jwt|otp"
    r"|pin|code|ticket|hash|credential|apikey)"
)
_PARAMETER = re.compile(rf"[?&#;/]{_SECRET_NAME}=([^\s&#\"'<>]{{4,2000}})", re.IGNORECASE)
_USER_INFO = re.compile(r"\b[a-z][a-z0-9+.-]{1,12}://([^\s/@:]{1,80}:[^\s/@]{1,120})(?=@)", re.I)


def ip_addresses(text: str) -> Iterable[Span]:
    """IP addresses of both versions; a number of a program's version is none."""
    for match in _IP4.finditer(text):
        if _is_ip(match[0]) and not _VERSION.search(
            text[max(0, match.start() - 40) : match.start()]
        ):
            yield Span(*match.span(), "ip")
    for match in _IP6.finditer(text):
        digits = sum(character.isalnum() for character in match[0])
        if digits >= _FEWEST_HEX and _is_ip(match[0]):
            yield Span(*match.span(), "ip")


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def secrets_in_links(text: str) -> Iterable[Span]:
    """What a link would let others in with: ?token=..., user:password@host."""
    if "=" not in text and "@" not in text:
        return ()
    return (Span(*match.span(1), "key") for match in matches(text, _PARAMETER, _USER_INFO))
