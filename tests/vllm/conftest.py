"""Two real vLLM servers with the base of the assistant, one of them with n-grams as drafts, and the
chat on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pytest

from specchat.bench.peers.environments import environment_of
from specchat.bench.peers.pinned import read_peers
from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions, AnswerUpdate
from specchat.commands.bench.peers import PEERS_FILE
from specchat.pretrained.base import base_directory
from specchat.remote.loading import RemoteModel, RemoteOptions, connect
from storage import MetricRow, Store, TurnFilter, open_store
from tests.vllm.server import SPECULATING, TELLS, TELLS_DRAFTS, Vllm


@dataclass(frozen=True)
class Shop:
    """The chat on a server, and where its rows are stored."""

    model: RemoteModel
    service: ChatService
    store: Store

    def ask(self, question: str, owner: str = "ann", **options: int) -> AnswerUpdate:
        """The end of an answer in a new conversation."""
        conversation = self.service.new_conversation(owner)
        chosen = AnswerOptions(**{"max_tokens": 64, **options})
        updates = self.service.answer(conversation, question, owner=owner, options=chosen)
        return list(updates)[-1]

    def newest(self) -> MetricRow:
        """The row that was stored last."""
        assert self.store.flush()
        return self.store.metrics(TurnFilter())[0]


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """Of the environment that is installed as assets/benchmarks/peers.toml has it."""
    peer = next(peer for peer in read_peers(PEERS_FILE) if peer.name == "vllm")
    return environment_of(peer, Path(platformdirs.user_cache_dir("specchat")) / "peers")


@pytest.fixture(scope="session")
def stopped(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """A server that speculates, not started yet."""
    log = tmp_path_factory.mktemp("vllm") / "speculating.log"
    server = Vllm.on_free_port(vllm_python, base_directory(), log)
    yield server
    server.stop()


@pytest.fixture
def speculating(stopped: Vllm) -> Vllm:
    """The same, started where it does not run."""
    if stopped.process is None:
        stopped.start(*SPECULATING, *TELLS, *TELLS_DRAFTS)
    return stopped


@pytest.fixture(scope="session")
def plain(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """A server that does not speculate."""
    log = tmp_path_factory.mktemp("vllm") / "plain.log"
    server = Vllm.on_free_port(vllm_python, base_directory(), log)
    server.start(*TELLS)
    yield server
    server.stop()


@pytest.fixture
def shop(speculating: Vllm, plain: Vllm, tmp_path: Path) -> Iterator[Shop]:
    """The chat on both servers; the tokenizer is found by what the server says of its model."""
    model = connect(RemoteOptions(base_url=speculating.url, plain_base_url=plain.url))
    with open_store(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        service = ChatService(model, store, load_company())
        yield Shop(model, service, store)
        service.close()
    model.engine.close()
