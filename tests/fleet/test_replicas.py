"""Two engines under Ray Serve, for real: who answers whom, and what becomes of a lost one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.engine.errors import ModelLoadError, ServerError
from specchat.engine.request import FinishReason, Request, SamplingParams, TokenDelta
from specchat.engine.sequence import TokenStream
from specchat.fleet.options import FleetOptions
from specchat.fleet.replicas import connect_fleet
from specchat.loader import LoadOptions
from specchat.remote.loading import RemoteModel
from specchat.remote.wire import SESSION
from specchat.settings import SettingsError, load_settings
from storage import TurnFilter, open_store
from tests.api.conftest import eventually

LONG = 1_900
SESSIONS = [f"session {number}" for number in range(20)]
REPLICA = "ray::ServeReplica:specchat:engine"


@pytest.fixture(scope="module")
def fleet(tiny_model_dir: Path) -> Iterator[RemoteModel]:
    load = LoadOptions(
        str(tiny_model_dir), ("ngram",), device="cpu", threads=1, kv_memory_bytes=2**25
    )
    with ThreadPoolExecutor(1) as beside:  # a browser's loop may run in this thread
        model = beside.submit(connect_fleet, FleetOptions(load, 2, 2)).result()
        yield model
        beside.submit(model.engine.close).result()
    assert replicas() == []


def replicas() -> list[psutil.Process]:
    named = (each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"])
    return [each for each in named if each.info["cmdline"][0].startswith(REPLICA)]


def asked(fleet: RemoteModel, session: str, tokens: int = 4) -> TokenStream:
    params = SamplingParams(max_tokens=tokens, ignore_eos=True)
    return fleet.engine.submit(Request((10, 40, 50, 60), params, salt=session))


def ended(fleet: RemoteModel, session: str, reason: str = r"\w+") -> int:
    """Requests that the replica of a session has ended so far."""
    engine = fleet.engine
    headers = {**engine._server.headers, SESSION: engine._salt(session)}
    told = httpx.get(engine._server.metrics_url, headers=headers).text
    found = re.findall(
        rf'vllm:request_success_total{{.*finished_reason="{reason}".*}} ([\d.]+)', told
    )
    return int(sum(map(float, found)))


def test_a_session_stays_with_its_replica_and_both_have_some(fleet: RemoteModel) -> None:
    for session in SESSIONS:
        before = ended(fleet, session)
        for _ in range(3):
            assert list(asked(fleet, session))[-1].finish is FinishReason.LENGTH
        assert ended(fleet, session) == before + 3
    of_its_replica = [ended(fleet, session) for session in SESSIONS]
    assert max(of_its_replica) < 3 * len(SESSIONS)


def test_to_cancel_reaches_the_replica(fleet: RemoteModel) -> None:
    for session in SESSIONS[:10]:
        before = ended(fleet, session, "abort")
        stream = asked(fleet, session, LONG)
        next(stream)
        stream.cancel()
        assert list(stream)[-1].finish is FinishReason.CANCELLED
        eventually(lambda session=session, before=before: ended(fleet, session, "abort") > before)


def test_the_chat_runs_on_it_and_stores_its_rows(fleet: RemoteModel, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        service = ChatService(fleet, store, load_company())
        for owner in ("ann", "bob", "cy"):
            updates = service.answer(
                service.new_conversation(owner), "How long does a refund take?", owner=owner
            )
            assert list(updates)[-1].status == "completed"
        service.close()
        assert store.flush()
        assert [row.verification for row in store.metrics(TurnFilter())] == ["server"] * 3


def test_a_killed_replica_ends_its_answers_with_an_error_and_no_others(
    fleet: RemoteModel,
) -> None:
    streams = [asked(fleet, session, LONG) for session in SESSIONS]
    for stream in streams:
        next(stream)
    replicas()[0].kill()

    def rest(stream: TokenStream) -> list[TokenDelta] | None:
        try:
            return list(stream)
        except ServerError:
            return None

    found = [rest(stream) for stream in streams]
    assert None in found
    assert any(deltas and deltas[-1].finish is FinishReason.LENGTH for deltas in found)
    for session in SESSIONS:
        eventually(lambda session=session: rest(asked(fleet, session)) is not None)
    eventually(lambda: len(replicas()) == 2)  # another one takes its place


def test_what_cannot_be_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(engine="ray", replicas=3, max_replicas=2)
    with pytest.raises(SettingsError, match=r"MAX_REPLICAS must be .*, got 2"):
        settings.fleet_options()
    with pytest.raises(ModelLoadError, match="no-such-model"):
        connect_fleet(FleetOptions(LoadOptions("/no-such-model")))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModelLoadError, match="Ray Serve: pip install"):
        connect_fleet(FleetOptions(LoadOptions("care")))
