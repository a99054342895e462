"""Who may use the API, and how often."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from specchat.api.errors import ApiError

LOCAL = "local"
"""Who asks where no keys are set."""

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the first digits of a key's hash, or `LOCAL`; never the key."""

    id: str


class Access:
    """Knows the keys and counts requests. Used by the event loop alone.

    Without keys the API is open to programs of this machine, and only where the page listens on a
    loopback address; behind a proxy, or under a name that a browser was given for this machine, it
    is closed.
    """

    def __init__(self, keys: tuple[str, ...], rate: str | None, host: str) -> None:
        """`rate` is in the notation of `limits`, for each key by itself; None is no limit. `host`
        is the address that is listened on."""
        self._digests = [_digest(key) for key in keys]
        self._local = is_loopback(host)
        self._limits: list[RateLimitItem] = list(parse_many(rate)) if rate else []
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    @property
    def rule(self) -> str:
        """Who is let in, in words."""
        if self._digests:
            return f"open to {len(self._digests)} keys"
        if self._local:
            return "open to this machine alone, as no keys are set"
        return "closed, as no keys are set: set SPECCHAT_API_KEYS"

    def caller(self, request: Request) -> Caller:
        """Who sends a request.

        Raises:
            ApiError: 401 without a right key.
        """
        if not self._digests:
            if self._local and _from_here(request):
                return Caller(LOCAL)
            raise _unauthorized("the API is closed here: it has no keys (SPECCHAT_API_KEYS)")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise _unauthorized("an API key is needed: Authorization: Bearer KEY")
        digest = _digest(given.strip())
        # Every key is compared, so that the time tells nothing about them.
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            raise _unauthorized("this API key is not known")
        return Caller(digest.hex()[:12])

    def count(self, caller: Caller) -> None:
        """Take in one request.

        Raises:
            ApiError: 429 where there were too many; it says when to come again.
        """
        if all(self._limiter.test(limit, caller.id) for limit in self._limits):
            for limit in self._limits:
                self._limiter.hit(limit, caller.id)
            return
        full = [each for each in self._limits if not self._limiter.test(each, caller.id)]
        until = max(self._limiter.get_window_stats(each, caller.id).reset_time for each in full)
        wait = max(1, math.ceil(until - time.time()))
        names = ", ".join(map(str, full))
        raise ApiError(
            429,
            f"more than {names} requests with this key; try again in {wait} s",
            code="rate_limit_exceeded",
            headers={"Retry-After": str(wait)},
        )


def is_loopback(host: str) -> bool:
    """True for a name or an address that only this machine reaches."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _from_here(request: Request) -> bool:
    """False for what a proxy passes on and for a page that was given a name of this machine."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    name, client = request.url.hostname or "", request.client
    return client is not None and is_loopback(name) and is_loopback(client.host)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def _admitted(request: Request) -> Caller:
    access: Access = request.app.state.access
    caller = access.caller(request)
    request.state.caller = caller  # for the log
    return caller


def _counted(request: Request) -> Caller:
    caller = _admitted(request)
    access: Access = request.app.state.access
    access.count(caller)
    return caller


Admitted = Annotated[Caller, Depends(_admitted)]
"""A route that only known callers reach."""

Counted = Annotated[Caller, Depends(_counted)]
"""The same, and the call counts against the caller's limit."""
