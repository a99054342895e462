"""What a command does not need is not imported: it would be most of the time until it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("gradio", "pandas", "plotly", "peft", "scipy", "sklearn", "sympy", "torch._inductor")
HEAVY += ("torch._dynamo", "torch.distributed.tensor", "torch.distributed.checkpoint")

_COMMAND = """
import json, sys
from specchat.commands.main import app
try:
    app(json.loads(sys.argv[1]), prog_name="specchat")
except SystemExit as end:
    assert not end.code
print(json.dumps(sorted(sys.modules)))
"""


def imported(*arguments: str, database: Path) -> set[str]:
    """The modules that a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, json.dumps(arguments)],
        env=_environment(database), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


def _environment(database: Path) -> dict[str, str]:
    url = f"sqlite:///{database}"
    return {**os.environ, "SPECCHAT_DATABASE_URL": url, "CUDA_VISIBLE_DEVICES": ""}


def test_help_imports_neither_models_nor_pages(tmp_path: Path) -> None:
    found = imported("--help", database=tmp_path / "a.db")
    assert not found & {*HEAVY, "torch", "transformers", "sqlalchemy", "numpy"}


def test_an_answer_needs_no_page_no_compiler_and_no_statistics(tmp_path: Path) -> None:
    asked = ("ask", "Where is order 4417?", "--model", "care-mini", "--max-tokens", "8")
    found = imported(*asked, database=tmp_path / "a.db")
    assert "transformers.models.llama.modeling_llama" in found
    assert not found & set(HEAVY)


def test_what_was_left_out_is_there_for_whoever_compiles() -> None:
    code = """
import sys
from specchat.engine.model.lean_imports import import_transformers
import_transformers()
import torch
from transformers import LlamaConfig, LlamaForCausalLM
assert "torch._dynamo" not in sys.modules
assert torch.distributed.is_available()
sizes = dict(vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1)
model = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2)).eval()
ids = torch.tensor([[1, 2, 3]])
with torch.no_grad():
    compiled = torch.compile(model, backend="aot_eager")(ids).logits
    assert torch.allclose(compiled, model(ids).logits, atol=1e-5)
import torch._dynamo.utils
assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
"""
    environment = {**_environment(Path("unused")), "SPECCHAT_DATABASE_URL": "sqlite://"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize("damage", [None, "", "{"])
def test_what_models_there_are_is_read_once(tmp_path: Path, damage: str | None) -> None:
    code = """
import builtins, sys
from specchat.engine.model.lean_imports import import_transformers
opened, open_ = [], builtins.open
def noted(file, *given, **named):
    opened.append(str(file))
    return open_(file, *given, **named)
builtins.open = noted
import_transformers()
import transformers
builtins.open = open_
print(sum("modeling_" in file for file in opened))
print(sorted(transformers._class_to_module.items()))
from transformers import AutoTokenizer, LlamaForCausalLM, Qwen3ForCausalLM
"""
    environment = {**_environment(tmp_path / "a.db"), "XDG_CACHE_HOME": str(tmp_path)}

    def run() -> tuple[bool, str]:
        """Whether all models were read, and what there is."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        read, found = done.stdout.splitlines()
        return int(read) > 100, found

    all_read, found = run()
    assert all_read
    (kept,) = (tmp_path / "specchat").glob("transformers-*.json")
    if damage is not None:
        kept.write_text(damage)
        assert run() == (True, found)
    assert run() == (False, found)
