"""The bill of materials is valid, and names what is asked for and what comes with it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from specchat.pretrained.base import GGUF_SHA256, HUB_NAME
from tests import sbom

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
EXTRAS = {
    extra: [Requirement(each) for each in listed]
    for extra, listed in PROJECT["optional-dependencies"].items()
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("bill") / "new" / "sbom.json"
    sbom.main(out)
    return out.read_text()


@pytest.fixture(scope="module")
def components(written: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(written)["components"]
    return found


def test_it_is_valid(written: str) -> None:
    bill = json.loads(written)
    assert bill["metadata"]["component"]["name"] == "specchat"
    kept = [each for each in bill["components"] if each["bom-ref"][:1] in "tw"]  # all take long
    assert len(kept) > 10
    names = {each["bom-ref"] for each in kept}
    part = bill | {"components": kept, "dependencies": [{"ref": name} for name in names]}
    schema = SchemaVersion.from_version(bill["specVersion"])
    assert JsonStrictValidator(schema).validate_str(json.dumps(part)) is None


def test_every_direct_dependency_is_named(components: list[dict[str, Any]]) -> None:
    named = {canonicalize_name(each["name"]) for each in components}
    for asked in (*RUNTIME, *EXTRAS["dev"]):
        if asked.marker is None or asked.marker.evaluate():
            assert canonicalize_name(asked.name) in named


def test_weights_are_named_with_their_hash_and_licence(components: list[dict[str, Any]]) -> None:
    weights = {each["name"]: each for each in components if "machine" in each["type"]}
    assert weights[HUB_NAME]["hashes"] == [{"alg": "SHA-256", "content": GGUF_SHA256}]
    files = {file.relative_to(ROOT).as_posix() for file in sbom.MODELS.rglob("*.safetensors")}
    assert files < set(weights)
    assert all(each["licenses"] == [{"license": {"id": "Apache-2.0"}}] for each in weights.values())


# -- what is asked for -------------------------------------------------------------------------


def test_the_project_installs_the_requirements_and_nothing_beside_them() -> None:
    """One list: pip, Spaces and the container read `requirements.txt`."""
    assert "dependencies" in PROJECT["dynamic"]
    dynamic = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]
    assert dynamic["dependencies"] == {"file": ["requirements.txt"]}


def test_every_requirement_has_a_floor_and_a_ceiling_and_stands_once() -> None:
    names = [canonicalize_name(each.name) for each in RUNTIME]
    assert len(names) == len(set(names))
    for asked in (*RUNTIME, *(each for listed in EXTRAS.values() for each in listed)):
        operators = {each.operator for each in asked.specifier}
        assert operators in ({">=", "<"}, {"=="}), asked


def test_a_package_of_several_extras_has_one_range() -> None:
    ranges: dict[str, set[str]] = {}
    for asked in (*RUNTIME, *(each for listed in EXTRAS.values() for each in listed)):
        ranges.setdefault(canonicalize_name(asked.name), set()).add(str(asked.specifier))
    assert {name: found for name, found in ranges.items() if len(found) > 1} == {}


def test_the_torch_without_cuda_is_in_the_range() -> None:
    (torch,) = (each for each in RUNTIME if each.name == "torch")
    (line,) = (
        line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("TORCH ?=")
    )
    assert line.split("torch==")[1].rstrip(")") in torch.specifier
