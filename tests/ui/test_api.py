"""Programs use the same chat and race through `gradio_client`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.ui.conftest import Site, eventually, wait_for_rows

WAIT_S = 240


@pytest.fixture(scope="module")
def client(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Client:
    downloads: Path = tmp_path_factory.mktemp("client")
    return Client(site.url, verbose=False, download_files=str(downloads))


@pytest.fixture(autouse=True)
def _usual_pace(site: Site) -> Iterator[None]:
    yield
    site.engine.step_s, site.engine.repeats = 0.01, 1


def test_only_chat_and_race_are_public(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/chat", "/race"}


def test_chat_streams_and_goes_on_with_its_conversation(client: Client) -> None:
    job = client.submit("Where is my refund?", api_name="/chat")
    last = job.result(WAIT_S)
    assert len(job.outputs()) > 1
    assert (last["done"], last["status"]) == (True, "completed")
    assert "tok/s" in last["footer"]
    again = client.predict(
        "And now?", conversation=last["conversation"], owner=last["owner"], api_name="/chat"
    )
    assert again["conversation"] == last["conversation"]


def test_a_conversation_of_somebody_else_is_refused(client: Client) -> None:
    mine = client.predict("My order is 777777", api_name="/chat")
    with pytest.raises(AppError, match="no longer there"):
        client.predict("Tell me", conversation=mine["conversation"], api_name="/chat")


def test_cancelling_a_job_stores_one_cancelled_turn(client: Client, site: Site) -> None:
    site.engine.step_s, site.engine.repeats = 0.1, 20
    before = len(site.store.metrics())
    job = client.submit("Everything, please", api_name="/chat")
    for update in job:
        if update["text"]:
            break
    job.cancel()
    rows = wait_for_rows(site, before + 1)
    assert rows[0].status == "cancelled"
    assert len(rows) == before + 1


def test_race_ends_with_the_verdict(client: Client) -> None:
    said = client.predict("Where is my refund?", max_tokens=32, api_name="/race")
    assert said["done"] is True
    assert said["identical"] is True
    assert "same answer ✓" in said["headline"]


def test_without_consent_no_word_is_stored(client: Client, site: Site) -> None:
    before, asked = len(site.store.metrics()), "Where is the quokka-lamp-1 for order 4417?"
    last = client.predict(asked, api_name="/chat")
    again = {"conversation": last["conversation"], "owner": last["owner"]}
    client.predict("And the quokka-lamp-2?", **again, api_name="/chat")
    client.predict("A refund for the quokka-lamp-3", max_tokens=16, api_name="/race")
    rows = wait_for_rows(site, before + 4)
    assert {row.kind for row in rows[: len(rows) - before]} == {"chat", "race"}
    assert all(row.completion_tokens > 0 for row in rows)
    assert not site.holds("quokka")
    assert site.store.conversations(last["owner"]) == []
    assert site.store.races()[0].prompt.startswith("refund ")


def test_with_consent_question_and_answer_are_stored_redacted(client: Client, site: Site) -> None:
    said = client.predict(
        "Where is the numbat-lamp? Write to ann@mail.example", consent=True, api_name="/chat"
    )
    race = client.predict(
        "Refund the bilby-lamp", max_tokens=16, consent=True, owner=said["owner"], api_name="/race"
    )
    assert race["owner"] == said["owner"]
    eventually(lambda: site.store.flush() and "bilby" in site.store.races()[0].prompt)
    (turn,) = site.store.turns(said["conversation"])
    assert turn.question == "Where is the numbat-lamp? Write to [email]"
    assert "I understand" in turn.answer
    assert site.holds("numbat-lamp")
    assert site.holds("bilby-lamp")
    assert not site.holds("ann@mail.example")
    site.service.forget(said["owner"])
    assert not site.holds("numbat-lamp")
    assert not site.holds("bilby-lamp")


def test_consent_can_come_later_and_must_be_said_again(client: Client, site: Site) -> None:
    first = client.predict("About the potoroo-lamp", api_name="/chat")
    more = {"conversation": first["conversation"], "owner": first["owner"]}
    client.predict("Keep the dunnart-lamp", **more, consent=True, api_name="/chat")
    eventually(lambda: site.store.flush() and site.holds("dunnart-lamp"))
    assert not site.holds("potoroo-lamp")
    with pytest.raises(AppError, match="consent=true"):
        client.predict("Not the bettong-lamp", **more, api_name="/chat")
    assert not site.holds("bettong-lamp")


@pytest.mark.parametrize(
    ("owner", "shown"), [("ann", "got 'ann'"), ("a" * 200_000, f"got '{'a' * 40}…'")]
)
def test_an_owner_is_one_that_was_given_out(
    client: Client, site: Site, owner: str, shown: str
) -> None:
    for endpoint in ("/chat", "/race"):
        with pytest.raises(AppError, match="32 hexadecimal digits") as refused:
            client.predict("Where is it?", owner=owner, consent=True, api_name=endpoint)
        assert str(refused.value).endswith(shown)
    assert site.store.conversations(owner) == []


@pytest.mark.parametrize("tokens", [0, 257, 10**6])
def test_no_answer_is_longer_than_the_settings_say(client: Client, tokens: int) -> None:
    for endpoint in ("/chat", "/race"):
        with pytest.raises(AppError, match=f"from 1 to 256, the longest answer here, got {tokens}"):
            client.predict("Where is my refund?", max_tokens=tokens, api_name=endpoint)


def test_an_empty_question_is_explained(client: Client) -> None:
    for endpoint in ("/chat", "/race"):
        with pytest.raises(AppError, match=r"[Qq]uestion"):
            client.predict("  ", api_name=endpoint)
