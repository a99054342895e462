"""The file of peers: complete, pinned, and what it names exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from specchat.bench.peers.pinned import OWN, Peer, PeersError, chosen_peers, read_peers
from specchat.bench.peers.worker_process import LOOP
from specchat.commands.bench.peers import PEERS_FILE

ARM = 'arms = [{ name = "plain", weights = "directory", speculative = false, quantised = false }]'


def read(tmp_path: Path, text: str) -> list[Peer]:
    file = tmp_path / "peers.toml"
    file.write_text(text)
    return read_peers(file)


def test_every_peer_is_pinned_and_has_a_worker_and_both_kinds_of_arms() -> None:
    peers = read_peers(PEERS_FILE)
    assert {"transformers", "llama.cpp", "openvino"} < {peer.name for peer in peers}
    for peer in peers:
        assert {arm.speculative for arm in peer.arms} == {True, False}, peer.name
        assert peer.name == OWN or LOOP.with_name(peer.worker).is_file()
        assert (peer.name == OWN) == (not peer.requirements)


def test_what_is_quantised_is_said_to_be() -> None:
    for peer in read_peers(PEERS_FILE):
        for arm in peer.arms:
            packed = arm.weights.startswith("Q") or "quantize" in arm.options
            assert arm.quantised == packed, f"{peer.name}, {arm.name}"


@pytest.mark.parametrize("requirement", ["torch", "torch>=2", "torch==2.*", "torch==2,<3"])
def test_a_version_that_is_not_pinned_is_refused(tmp_path: Path, requirement: str) -> None:
    with pytest.raises(PeersError, match="a must pin one version, got 'torch"):
        read(tmp_path, f'[a]\nworker = "w.py"\nrequirements = ["{requirement}"]\n{ARM}')


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a", "peers.toml cannot be used"),
        ('[a]\nworker = "w.py"', "arms"),
        (f'[a]\nworker = "w.py"\n{ARM}', "a names no requirements"),
        (f'[specchat]\nworker = "own"\nwheels = 4\n{ARM}', "wheels"),
        ('[specchat]\nworker = "own"\n' + ARM.replace("directory", "Q9"), "'Q9'"),
    ],
)
def test_a_file_that_is_wrong_is_told(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(PeersError, match=why):
        read(tmp_path, text)


def test_ours_runs_beside_whatever_is_named() -> None:
    peers = read_peers(PEERS_FILE)
    assert [peer.name for peer in chosen_peers(peers, "llama.cpp")] == [OWN, "llama.cpp"]
    assert chosen_peers(peers, None) == peers


def test_a_name_that_is_not_known_is_refused() -> None:
    with pytest.raises(PeersError, match=r"--peers knows .*transformers.*; got gpt4all"):
        chosen_peers(read_peers(PEERS_FILE), "gpt4all,llama.cpp")
