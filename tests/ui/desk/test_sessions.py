"""Sessions of the desk, and the door that opens them, without a page."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from specchat.ui.desk import door
from specchat.ui.desk.door import COOKIE, KEY_HEADER, desk_routes, session_of
from specchat.ui.desk.sessions import LASTS_S, MOST, DeskSessions

KEY = "a long key, ä"
ENCODED = "a%20long%20key%2C%20%C3%A4"
PAGE = "http://testserver"


@pytest.fixture
def sessions() -> DeskSessions:
    return DeskSessions(KEY)


@pytest.fixture
def http(sessions: DeskSessions) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=desk_routes(sessions)), base_url=PAGE) as client:
        yield client


def cookie(value: str) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={value}"}


def test_only_the_key_opens_a_session(sessions: DeskSessions) -> None:
    assert sessions.open(f" {KEY}\n") is not None
    for wrong in ("", "a long key", KEY.upper(), "\udc80"):
        assert sessions.open(wrong) is None
    for made_up in (None, "", KEY):
        assert not sessions.holds(made_up)


def test_a_session_ends_by_itself_after_twelve_hours() -> None:
    now = [100.0]
    sessions = DeskSessions(KEY, lambda: now[0])
    session = sessions.open(KEY)
    now[0] += LASTS_S - 1
    assert sessions.holds(session)
    now[0] += 1
    assert not sessions.holds(session)


def test_one_session_more_than_fit_ends_the_first(sessions: DeskSessions) -> None:
    opened = [sessions.open(KEY) for _ in range(MOST + 1)]
    assert [sessions.holds(each) for each in opened] == [False] + [True] * MOST


def test_one_session_that_ends_leaves_the_others(sessions: DeskSessions) -> None:
    first, second = sessions.open(KEY), sessions.open(KEY)
    sessions.end(first)
    sessions.end(None)
    assert (sessions.holds(first), sessions.holds(second)) == (False, True)


@pytest.mark.parametrize(("page", "secure"), [(PAGE, False), ("https://testserver", True)])
def test_the_cookie_is_of_this_page_alone(
    sessions: DeskSessions, http: TestClient, page: str, secure: bool
) -> None:
    said = http.post(f"{page}/desk/session", headers={KEY_HEADER: ENCODED})
    assert said.status_code == 204
    kept = said.headers["set-cookie"]
    assert sessions.holds(said.cookies[COOKIE])
    assert "HttpOnly" in kept
    assert "SameSite=strict" in kept
    assert ("Secure" in kept) == secure
    assert "expires" not in kept.lower()
    assert "max-age" not in kept.lower()


def test_a_guess_costs_time_and_opens_nothing(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(door, "asyncio", SimpleNamespace(sleep=wait))  # no other server's
    for headers in ({}, {KEY_HEADER: "wrong"}, {KEY_HEADER: "%ff"}, {KEY_HEADER: ""}):
        said = http.post("/desk/session", headers=headers)
        assert (said.status_code, said.headers.get("set-cookie")) == (401, None)
    assert waits == [door.WRONG_KEY_S] * 4


def test_to_open_anew_ends_the_session_before(sessions: DeskSessions, http: TestClient) -> None:
    first = http.post("/desk/session", headers={KEY_HEADER: ENCODED}).cookies[COOKIE]
    second = http.post("/desk/session", headers={KEY_HEADER: ENCODED}).cookies[COOKIE]
    assert (sessions.holds(first), sessions.holds(second)) == (False, True)


def test_to_lock_ends_the_session_and_takes_its_cookie(
    sessions: DeskSessions, http: TestClient
) -> None:
    session = http.post("/desk/session", headers={KEY_HEADER: ENCODED}).cookies[COOKIE]
    said = http.delete("/desk/session")
    assert said.status_code == 204
    assert COOKIE not in http.cookies
    assert not sessions.holds(session)


@pytest.mark.parametrize(
    "come_from",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": PAGE},
        {"origin": "http://testserver:8080"},
        {"origin": "http://evil.testserver"},
        {"origin": "null"},
    ],
)
def test_pages_elsewhere_can_neither_open_lock_nor_use_it(
    sessions: DeskSessions, http: TestClient, come_from: dict[str, str]
) -> None:
    session = sessions.open(KEY)
    assert session is not None
    asked = {**come_from, **cookie(session), KEY_HEADER: ENCODED}
    said = http.post("/desk/session", headers=asked)
    assert (said.status_code, said.headers.get("set-cookie")) == (403, None)
    assert http.delete("/desk/session", headers=asked).status_code == 403
    assert sessions.holds(session)
    assert session_of({"host": "testserver", **asked}) is None


@pytest.mark.parametrize("come_from", [{"sec-fetch-site": "same-origin"}, {"origin": PAGE}, {}])
def test_the_page_itself_and_programs_bring_their_session(come_from: dict[str, str]) -> None:
    assert session_of({"host": "testserver", **come_from, **cookie("x")}) == "x"
    assert session_of({"host": "testserver", **come_from}) is None
