"""Programs use the same chat and race through `gradio_client`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from .conftest import Site, wait_for_rows

WAIT_S = 60


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


def test_an_empty_question_is_explained(client: Client) -> None:
    for endpoint in ("/chat", "/race"):
        with pytest.raises(AppError, match=r"[Qq]uestion"):
            client.predict("  ", api_name=endpoint)
