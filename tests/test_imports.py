"""Imports point down only and never in a circle, each layer stays free of what is not its business,
and no folder is a list to search through."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MOST_FILES = 13
"""In a folder, `__init__.py` not counted; of tests, what holds tests."""

SHARED = {"specchat.answer_cost", "specchat.version", "specchat.gc_pauses"}
"""What every layer may use."""

# layer -> the parts of this project it may import, besides itself and SHARED
LAYERS: dict[str, set[str]] = {
    "specchat.engine": set(),
    "specchat.speculators": {"specchat.engine"},
    "specchat.evidence": set(),
    "specchat.answer_cost": set(),
    "specchat.version": set(),
    "specchat.gc_pauses": set(),
    "specchat.loader": {"specchat.engine", "specchat.pretrained", "specchat.speculators"},
    "specchat.pretrained": {"specchat.engine"},
    "specchat.settings": {
        "specchat.engine.options",
        "specchat.loader",
        "specchat.fleet.options",
        "specchat.remote.loading",
    },
    "specchat.remote": {"specchat.engine", "specchat.loader"},
    "specchat.fleet": {"specchat.api", "specchat.engine", "specchat.loader", "specchat.remote"},
    "specchat.chat": {
        "specchat.engine",
        "specchat.evidence",
        "specchat.loader",
        "specchat.pretrained",
        "storage",
    },
    "specchat.api": {"specchat.chat", "specchat.engine", "specchat.loader"},
    "specchat.bench.gpu": {
        "specchat.bench",
        "specchat.engine",
        "specchat.evidence",
        "specchat.loader",
        "specchat.speculators",
    },
    "specchat.bench.injections": {"specchat.bench", "specchat.chat"},
    "specchat.bench.peers.workers": set(),  # run where only a peer is installed
    "specchat.bench.peers": {
        "specchat.bench",
        "specchat.engine",
        "specchat.evidence",
        "specchat.loader",
        "specchat.pretrained",
    },
    "specchat.bench.redaction": {"specchat.chat"},
    "specchat.bench": {"specchat.engine", "specchat.evidence"},
    "specchat.training": {
        "specchat.chat",
        "specchat.engine",
        "specchat.evidence",
        "specchat.loader",
        "specchat.pretrained",
        "specchat.speculators",
        "storage",
    },
    "specchat.commands": {
        "specchat.api",
        "specchat.bench",
        "specchat.chat",
        "specchat.engine",
        "specchat.evidence",
        "specchat.loader",
        "specchat.pretrained",
        "specchat.settings",
        "specchat.training",
        "specchat.ui",
        "storage",
    },
    "specchat.ui": {
        "specchat.api",
        "specchat.bench",
        "specchat.chat",
        "specchat.engine",
        "specchat.evidence",
        "specchat.fleet",
        "specchat.loader",
        "specchat.remote",
        "specchat.settings",
        "storage",
    },
    "storage": set(),
}

# layer -> libraries that have no place in it
FOREIGN = {
    "specchat.engine": {"gradio", "sqlalchemy", "alembic", "typer"},
    "specchat.speculators": {"gradio", "sqlalchemy", "alembic", "typer"},
    "specchat.remote": {"gradio", "sqlalchemy", "alembic", "torch", "typer"},
    "specchat.fleet": {"gradio", "sqlalchemy", "alembic", "torch", "typer"},
    "specchat.pretrained": {"gradio", "sqlalchemy", "alembic", "typer"},
    "specchat.evidence": {"gradio", "sqlalchemy", "alembic", "torch", "transformers", "typer"},
    "specchat.chat": {"gradio", "sqlalchemy", "alembic", "torch", "typer"},
    "specchat.api": {"gradio", "sqlalchemy", "alembic", "torch", "transformers", "typer"},
    "specchat.bench": {"gradio", "sqlalchemy", "alembic", "transformers", "typer"},
    "specchat.ui": {"sqlalchemy", "alembic", "torch", "transformers", "typer"},
    "storage": {"gradio", "torch", "transformers", "typer"},
}

COMPOSERS = {
    "app",
    "specchat",
    "specchat.__main__",
    "specchat.bench.gpu.__main__",
}
"""May import everything: they put the parts together."""


def _modules() -> Iterator[tuple[str, Path]]:
    files = [*ROOT.glob("specchat/**/*.py"), *ROOT.glob("storage/**/*.py"), *ROOT.glob("app.py")]
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def _imports(module: str, file: Path) -> Iterator[tuple[str, int]]:
    """Every imported dotted name with its line, also those inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _inside(name: str, parts: set[str]) -> bool:
    return any(name == part or name.startswith(part + ".") for part in parts)


def _layer(module: str) -> str | None:
    return next((layer for layer in LAYERS if _inside(module, {layer})), None)


def _violations(module: str, file: Path) -> Iterator[str]:
    layer = _layer(module)
    assert layer, f"{module} belongs to no layer; give it one in {Path(__file__).name}"
    allowed = LAYERS[layer] | {layer} | SHARED
    for name, line in _imports(module, file):
        ours = _inside(name, {"specchat", "storage", "app"})
        if ours and not _inside(name, allowed):
            yield f"{module}:{line} imports {name}; {layer} may import {sorted(allowed)}"
        if _inside(name, FOREIGN.get(layer, set())):
            yield f"{module}:{line} imports {name}, which has no place in {layer}"


def test_imports_point_down_only() -> None:
    found = [
        violation
        for module, file in _modules()
        if module not in COMPOSERS
        for violation in _violations(module, file)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("specchat.engine.engine", "from specchat.speculators.mlp.speculator import MlpSpeculator"),
        ("specchat.engine.engine", "def f():\n    import specchat.chat.answer.prompt"),
        ("storage.store", "import torch.nn"),
        ("storage.store", "from specchat.engine.request import TurnStats"),
        ("specchat.ui.chat.tab", "from torch import Tensor"),
        ("specchat.bench.race", "from specchat.chat.answer import prompt"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, module: str, source: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert list(_violations(module, file))


def _circle(graph: dict[str, set[str]]) -> list[str]:
    """A circle in what imports what; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def _owner(name: str, modules: dict[str, Path]) -> str | None:
    """The module that an imported name is, or is in."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def test_no_files_import_each_other() -> None:
    modules = dict(_modules())
    graph = {
        module: {owner for name, _ in _imports(module, file) if (owner := _owner(name, modules))}
        - {module}
        for module, file in modules.items()
    }
    assert not _circle(graph), " imports ".join(reversed(_circle(graph)))


def test_a_circle_is_found() -> None:
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert not _circle({"a": {"b", "c"}, "b": {"c"}})


@pytest.mark.parametrize("pattern", ["specchat/**/*.py", "storage/**/*.py", "tests/**/test_*.py"])
def test_a_folder_holds_few_files(pattern: str) -> None:
    files = [file for file in ROOT.glob(pattern) if file.name != "__init__.py"]
    counts = Counter(str(file.parent.relative_to(ROOT)) for file in files)
    assert not {folder: count for folder, count in counts.items() if count > MOST_FILES}


def test_the_commands_help_does_not_load_torch() -> None:
    """A person who asks for help does not wait for a framework."""
    code = "import sys, specchat.commands.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
