"""The peers, their pinned versions and their arms, as one TOML file names them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OWN = "specchat"
"""The peer that needs no environment: this project itself."""
DIRECTORY = "directory"
WEIGHTS = (DIRECTORY, "Q4_1", "Q8_0", "BF16")
"""A directory of bf16 safetensors, or a GGUF file in that number format."""

_PINNED = re.compile(r"[A-Za-z0-9_.-]+(\[[a-z0-9,-]+\])?==[A-Za-z0-9_.!+-]+(; .+)?")


class PeersError(Exception):
    """The file of peers is wrong, or a peer is asked for that it does not name."""


@dataclass(frozen=True, slots=True)
class PeerArm:
    """One way of running a peer."""

    name: str  # "Q4_1, n-grams"
    weights: str  # one of WEIGHTS
    speculative: bool
    quantised: bool  # other numbers than the reference's: other tokens are no fault
    options: Mapping[str, Any] = field(default_factory=dict)  # read as the model is loaded
    mode: Mapping[str, Any] = field(default_factory=dict)  # read with each prompt


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine to measure."""

    name: str
    worker: str  # a file in `workers`, or "own"
    arms: tuple[PeerArm, ...]
    requirements: tuple[str, ...] = ()  # each pinned to one version
    complete: bool = False  # nothing else is installed, whatever they ask for


def read_peers(file: Path) -> list[Peer]:
    """Every peer of the file, in its order.

    Raises:
        PeersError: something is missing, unknown or not pinned; the message says what.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return [_peer(name, table) for name, table in tables.items()]
    except (OSError, tomllib.TOMLDecodeError, TypeError, ValueError, KeyError) as error:
        raise PeersError(f"{file} cannot be used: {error}") from None


def chosen_peers(peers: list[Peer], names: str | None) -> list[Peer]:
    """Our own, and those of a comma-separated list: all without one.

    Raises:
        PeersError: a name is not known.
    """
    if names is None:
        return peers
    wanted = {name.strip() for name in names.split(",")} - {""}
    known = {peer.name for peer in peers}
    if unknown := sorted(wanted - known):
        others = ", ".join(sorted(known - {OWN}))
        raise PeersError(f"--peers knows {others}; got {', '.join(unknown)}")
    return [peer for peer in peers if peer.name in wanted or peer.name == OWN]


def _peer(name: str, table: dict[str, Any]) -> Peer:
    arms = tuple(_arm(name, arm) for arm in table.pop("arms"))
    if not arms or len({arm.name for arm in arms}) < len(arms):
        raise ValueError(f"{name} needs arms, each of another name")
    requirements = tuple(table.pop("requirements", ()))
    for requirement in requirements:
        if not _PINNED.fullmatch(requirement):
            raise ValueError(f"{name} must pin one version, got {requirement!r}")
    if not requirements and name != OWN:
        raise ValueError(f"{name} names no requirements")
    return Peer(name=name, arms=arms, requirements=requirements, **table)


def _arm(peer: str, table: dict[str, Any]) -> PeerArm:
    arm = PeerArm(**table)
    if arm.weights not in WEIGHTS:
        raise ValueError(f"weights of {peer} must be one of {', '.join(WEIGHTS)}: {arm.weights!r}")
    return arm
