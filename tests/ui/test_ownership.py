"""Who may do what on the page: every endpoint, those too that only its own buttons use, called over
HTTP by somebody else, by nobody and with a wrong session of the desk.

The endpoints are the page's own list. One that is new has to be named in `ACCESS`, or this fails.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest

from specchat.ui.desk.door import COOKIE, KEY_HEADER
from specchat.ui.shared.identity import new_owner
from storage import Store
from storage.personal.records import Subject
from tests.ui.conftest import DESK_KEY, WAIT_MS, Site, eventually
from tests.ui.endpoints import by_name, call, endpoints

WORDS = ("wallaby", "wombat", "bilby")  # in ann's question, race and comment
VIEWS = 2  # customers and the demo have the same chat; what is there more often is one function
Caller = Literal["other", "nobody"]

OWN, DESK, OPEN = "its owner", "the desk's session", "anybody"

_CHAT = (
    "ask sc-question.submit", "topic sc-chat.example_select", "retry sc-chat.retry",
    "edit sc-chat.edit", "handle sc-chat.undo", "like sc-chat.like", "handle sc-stop.click",
    "handle sc-new.click", "handle sc-conversations.input", "handle sc-accept.click",
    "handle sc-person.click", "handle sc-back.click", "handle sc-end.click",
    "handle sc-rate.click", "handle sc-rate-skip.click", "handle sc-agree.click",
    "handle sc-decline.click", "handle sc-keep.input", "tick timer.tick",
    "handle sc-search.submit", "handle sc-rename.click", "handle sc-delete-yes.click",
    "handle sc-forget-yes.click", "handle sc-save-json.click", "handle sc-save-markdown.click",
    "handle page.load",
)  # fmt: skip
_RACE = (
    "run_both sc-race-question.submit", "run_all sc-race-all.click", "run_both page.then",
    "race program", "chat program",
)  # fmt: skip
_DESK = (
    "at_desk page.load", "at_desk sc-desk-open.click", "at_desk sc-desk-lock.click",
    "at_desk sc-customers.input", "at_desk sc-reply-send.click", "at_desk sc-case-close.click",
    "at_desk timer.tick",
)  # fmt: skip
_OPEN = (
    "lambda sc-delete.click", "lambda sc-delete-yes.click", "lambda sc-forget.click",
    "lambda sc-forget-yes.click", "partial button.click", "lambda sc-race-stop.click",
    "opened page.load", "draw tabitem.select", "redraw timer.tick", "look tabitem.select",
    "lambda tabitem.select", "lambda sc-tab-race.select", "offer sc-compare.expand",
    "compared dropdown.input",
    "extrapolated sc-savings.expand", "lambda sc-export-csv.click", "lambda sc-export-json.click",
    "_opened tabitem.select", "_chosen dropdown.input", "lambda sc-speculators.expand",
    "canned sc-canned.input",
)  # fmt: skip
ACCESS = {
    **dict.fromkeys((*_CHAT, *_RACE), OWN),
    **dict.fromkeys(_DESK, DESK),
    **dict.fromkeys(_OPEN, OPEN),
}
"""What an endpoint asks for before it tells or changes anything of somebody."""


@dataclass(frozen=True)
class Ann:
    """A customer with everything that one can have."""

    owner: str
    conversation: str
    handoff: str


@pytest.fixture(scope="module")
def ann(site: Site) -> Ann:
    site.engine.step_s, site.engine.answer = 0.0, "I understand."
    owner = new_owner()
    with httpx.Client(base_url=site.url, timeout=WAIT_MS / 1000) as http:
        call(http, by_name(http, "chat program"), ["A refund for my wallaby", "", owner, True, 0.0,
             64, None, True])  # fmt: skip
        call(http, by_name(http, "race program"), ["A refund for my wombat", 0.0, 64, None, owner,
             True])  # fmt: skip
    (found,) = site.service.conversations(owner)
    site.service.rate_conversation(found.id, 4, "about my bilby", owner=owner)
    handoff = site.service.request_person(found.id, owner=owner)
    eventually(lambda: all(word in str(_of(site.store, owner)) for word in WORDS))
    return Ann(owner, found.id, handoff.handoff_id)


def test_every_endpoint_is_named(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=WAIT_MS / 1000) as http:
        names = {name for name, _ in endpoints(http)}
    assert names == set(ACCESS)


@pytest.mark.parametrize("caller", ["other", "nobody"])
def test_nobody_else_reads_or_changes_what_is_anns(site: Site, ann: Ann, caller: Caller) -> None:
    before, called, eve = _of(site.store, ann.owner), Counter[str](), new_owner()
    with httpx.Client(base_url=site.url, timeout=WAIT_MS / 1000) as http:
        if caller == "other":
            http.cookies.set(COOKIE, "open-sesam")
        for name, endpoint in endpoints(http):
            called[name] += 1
            if called[name] > VIEWS or (caller == "nobody" and ACCESS[name] == OPEN):
                continue  # what takes no identity is called by nobody anyway
            said = call(http, endpoint, sent_values(http, endpoint, ann, eve, caller))
            told = [word for word in WORDS if word in said]
            assert not told, f"{name} tells {told} to {caller}: {said[-2000:]}"
            assert site.store.flush()
            assert _of(site.store, ann.owner) == before, f"{name} changes what is ann's"


def test_ann_and_the_desk_are_let_in(site: Site, ann: Ann) -> None:
    """Else the refusals above would prove nothing."""
    identity = json.dumps({"owner": ann.owner, "conversation": ann.conversation, "keeps": True})
    with httpx.Client(base_url=site.url, timeout=WAIT_MS / 1000) as http:
        for name in ("handle page.load", "handle sc-save-json.click", "handle sc-search.submit"):
            endpoint = by_name(http, name)
            data = sent_values(
                http, endpoint, ann, ann.owner, "other", identity=identity, search=""
            )
            assert "wallaby" in call(http, endpoint, data), name
        entered = by_name(http, "at_desk sc-desk-open.click")
        assert "wallaby" not in call(http, entered, [DESK_KEY])
        assert http.post("/desk/session", headers={KEY_HEADER: DESK_KEY}).status_code == 204
        assert "wallaby" in call(http, entered, ["204"])


def sent_values(
    http: httpx.Client,
    endpoint: dict[str, Any],
    ann: Ann,
    eve: str,
    caller: Caller,
    *,
    identity: str | None = None,
    search: str = "wallaby",
) -> list[Any]:
    """What somebody would send who is after ann's data."""
    if identity is None:
        who = {"owner": eve, "conversation": ann.conversation, "keeps": True}
        identity = json.dumps(who if caller == "other" else {"conversation": ann.conversation})
    owner = eve if caller == "other" else ""
    if endpoint["api_name"] == "chat":
        return ["What did I ask?", ann.conversation, owner, True, 0.0, 16, None, True]
    if endpoint["api_name"] == "race":
        return ["A refund, please", 0.0, 16, None, owner, True]
    values = {
        "sc-identity": identity, "sc-conversations": ann.conversation, "sc-customers": ann.handoff,
        "sc-key": "204", "sc-question": "What did I ask?", "sc-title": "mine",
        "sc-reply": "Never mind", "sc-score": 1, "sc-comment": "bad", "sc-search": search,
        "sc-race-question": "A refund, please",
    }  # fmt: skip
    inputs = [endpoint["known"][each]["props"] for each in endpoint["inputs"]]
    return [values.get(each.get("elem_id"), each.get("value")) for each in inputs]


def _of(store: Store, owner: str) -> Any:
    """All that is stored of an owner."""
    return store.personal.stored(Subject(owner=owner))
