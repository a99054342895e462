"""Signing in: who has not is let nowhere, and a conversation is a person's in every browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from transformers import AutoTokenizer
from typer.testing import CliRunner

from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.commands.main import app
from specchat.loader import LoadOptions
from specchat.settings import Settings, SettingsError
from specchat.ui.desk.sessions import DeskSessions
from specchat.ui.page import build_app
from specchat.ui.serve import listen
from specchat.ui.shared.identity import new_owner
from specchat.ui.shared.sign_in import account_line, read_accounts
from storage import open_store
from tests.ui.conftest import DESK_KEY, WAIT_MS, Site, free_port
from tests.ui.double import ScriptedEngine
from tests.ui.endpoints import by_name, call, endpoints
from tests.ui.test_ownership import ACCESS, OWN, Ann, sent_values

ANN, EVE = ("ann", "wallaby-secret"), ("eve", "wombat-secret")


@pytest.fixture(scope="module")
def signed(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page where two people may sign in."""
    folder = tmp_path_factory.mktemp("signed")
    people = folder / "people"
    people.write_text("# who may\n\n" + "\n".join(account_line(*each) for each in (ANN, EVE)))
    settings = Settings(
        port=free_port(),
        database_url=f"sqlite:///{folder / 'site.db'}",
        host="127.0.0.1",
        desk_key=DESK_KEY,
        auth=str(people),
    )
    engine = ScriptedEngine(step_s=0.0, answer="I understand.")
    engine.starting.set()
    engine.flowing.set()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    loaded: Any = SimpleNamespace(
        engine=engine, tokenizer=tokenizer, options=LoadOptions(), model="smollm2", uses_slots=False
    )
    with open_store(settings.database_url) as store:
        company = load_company()
        service = ChatService(loaded, store, company)
        desk = DeskSessions(DESK_KEY)
        blocks = build_app(service, engine, store, settings, desk)  # type: ignore[arg-type]
        listen(blocks, settings, company)
        url = f"http://127.0.0.1:{settings.port}"
        yield Site(url, folder / "site.db", engine, store, service)
        blocks.close(verbose=False)


@contextmanager
def browser(site: Site, who: tuple[str, str] | None = None) -> Iterator[httpx.Client]:
    """A new browser, in which somebody has signed in."""
    with httpx.Client(base_url=site.url, timeout=WAIT_MS / 1000) as http:
        if who is not None:
            form = {"username": who[0], "password": who[1]}
            assert http.post("/login", data=form).status_code == 200
        yield http


@pytest.fixture(scope="module")
def conversation(signed: Site) -> str:
    """Ann's, begun as another owner than she is: what a browser says does not count."""
    with browser(signed, ANN) as http:
        data = ["A refund for my wallaby", "", new_owner(), True, 0.0, 16, None, True]
        assert "user:ann" in call(http, by_name(http, "chat program"), data)
    assert signed.store.flush()
    (mine,) = signed.service.conversations("user:ann")
    return mine.id


def test_who_has_not_signed_in_calls_nothing(signed: Site, conversation: str) -> None:
    with browser(signed) as http, browser(signed, ANN) as ann:
        assert http.get("/config").status_code == 401
        assert "auth_required" in http.get("/").text
        for name, endpoint in endpoints(ann):
            assert "Not authenticated" in call(http, endpoint, []), name


def test_a_wrong_password_and_an_unknown_name_are_refused(signed: Site) -> None:
    for name, password in ((ANN[0], EVE[1]), ("nobody", ANN[1]), ("", "")):
        with browser(signed) as http:
            said = http.post("/login", data={"username": name, "password": password})
            assert said.status_code in (400, 422)
            assert http.get("/config").status_code == 401


@pytest.mark.parametrize("claimed", ["user:ann", None])
def test_nobody_else_reads_or_changes_what_is_anns(
    signed: Site, conversation: str, claimed: str | None
) -> None:
    """Not even one who names her as the owner, or an owner of her own making."""
    before = signed.service.history(conversation, "user:ann")
    ann = Ann("user:ann", conversation, "")
    who = {"owner": claimed or new_owner(), "conversation": conversation, "keeps": True}
    with browser(signed, EVE) as http:
        seen = set()
        for name, endpoint in endpoints(http):
            if ACCESS[name] != OWN or name in seen:
                continue
            seen.add(name)
            eve = who["owner"] if claimed is None else ""
            data = sent_values(http, endpoint, ann, eve, "other", identity=json.dumps(who))
            assert "wallaby" not in call(http, endpoint, data), name
    assert signed.store.flush()
    assert signed.service.history(conversation, "user:ann") == before


def test_ann_finds_it_in_another_browser(signed: Site, conversation: str) -> None:
    who = json.dumps({"owner": new_owner(), "conversation": conversation, "keeps": True})
    ann = Ann("user:ann", conversation, "")
    with browser(signed, ANN) as http:
        for name in ("handle page.load", "handle sc-save-json.click", "handle sc-search.submit"):
            endpoint = by_name(http, name)
            data = sent_values(http, endpoint, ann, "", "other", identity=who, search="")
            assert "wallaby" in call(http, endpoint, data), name


def test_to_forget_leaves_the_account_and_nothing_else(signed: Site) -> None:
    who = json.dumps({"owner": new_owner(), "conversation": "", "keeps": True})
    with browser(signed, EVE) as http:
        data = ["A refund for my bilby", "", "", True, 0.0, 16, None, True]
        call(http, by_name(http, "chat program"), data)
        assert signed.store.flush()
        assert signed.service.conversations("user:eve")
        endpoint = by_name(http, "handle sc-forget-yes.click")
        call(
            http, endpoint, sent_values(http, endpoint, Ann("", "", ""), "", "other", identity=who)
        )
        assert not signed.service.conversations("user:eve")
        call(http, by_name(http, "chat program"), data)
        assert signed.store.flush()
        assert len(signed.service.conversations("user:eve")) == 1


def test_who_signs_out_is_let_in_nowhere(signed: Site) -> None:
    with browser(signed, ANN) as http:
        assert "Sign out" in http.get("/config").text
        http.get("/logout")
        assert http.get("/config").status_code == 401


# -- the file ------------------------------------------------------------------------------------


def test_a_line_as_the_command_prints_it_lets_in(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["password", "ann"], input="long-enough\nlong-enough\n")
    assert printed.exit_code == 0
    line = printed.stdout.strip().splitlines()[-1]
    assert "long-enough" not in line
    (tmp_path / "people").write_text(line)
    accounts = read_accounts(str(tmp_path / "people"))
    with ThreadPoolExecutor(1) as pool:  # this thread's loop may be the browser's
        for password, right in (("long-enough", True), ("long-enough ", False)):
            assert pool.submit(asyncio.run, accounts.check("ann", password)).result() is right


@pytest.mark.parametrize(("name", "password"), [("a:b", "long-enough"), ("ann", "short")])
def test_what_cannot_be_an_account_is_refused(name: str, password: str) -> None:
    with pytest.raises(SettingsError):
        account_line(name, password)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("ann:secret", "line 1"),
        ("\n".join([account_line("ann", "long-enough")] * 2), "line 2"),
        ("# nobody\n", "no account"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_says_where_and_tells_no_password(
    tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "people"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=said) as error:
        read_accounts(str(file))
    assert "secret" not in str(error.value)
