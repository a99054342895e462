"""The door of the desk: two requests that set and end a session cookie, and who may come with it.

A script cannot read the cookie, other sites' pages cannot send it (SameSite=Strict), and pages of
the same site at another port or below another name, which could, are refused by where they say they
come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.routing import Route

from specchat.ui.desk.sessions import DeskSessions

COOKIE = "specchat_desk"
KEY_HEADER = "X-Desk-Key"
"""Holds the key, percent-encoded. No page elsewhere can send it unasked, and nothing logs it."""
OPENED, WRONG, ELSEWHERE = 204, 401, 403
"""What a browser is answered."""
WRONG_KEY_S = 0.5  # what a guess costs
GUESSES = 4  # at once, so that those who guess hold up each other


def desk_routes(sessions: DeskSessions) -> list[Route]:
    """What opens and locks the desk, to stand beside the page."""
    guesses = asyncio.Semaphore(GUESSES)

    async def enter(request: Request) -> Response:
        if not is_from_here(request.headers):
            return Response(status_code=ELSEWHERE)
        async with guesses:
            session = sessions.open(unquote(request.headers.get(KEY_HEADER, "")))
            if session is None:
                await asyncio.sleep(WRONG_KEY_S)
                return Response(status_code=WRONG)
        sessions.end(session_of(request.headers))  # of who opens anew
        answer = Response(status_code=OPENED)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, session, secure=secure, httponly=True, samesite="strict")
        return answer

    async def lock(request: Request) -> Response:
        if not is_from_here(request.headers):
            return Response(status_code=ELSEWHERE)
        sessions.end(session_of(request.headers))
        answer = Response(status_code=OPENED)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    address = "/desk/session"
    return [
        Route(address, enter, methods=["POST"]),
        Route(address, lock, methods=["DELETE"]),
    ]


def session_of(headers: Mapping[str, str]) -> str | None:
    """The session that a request brings; None where it has none or comes from elsewhere."""
    if not is_from_here(headers):
        return None
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)


def is_from_here(headers: Mapping[str, str]) -> bool:
    """False where the browser says that a page of another origin has sent it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
