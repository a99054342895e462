"""A real vLLM as a process: started until it answers, asked what it is doing, stopped, killed."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from specchat.remote.server import Counted, read_counters
from tests import app_process
from tests.ui.conftest import free_port

NGRAMS = {
    "method": "ngram",
    "num_speculative_tokens": 5,
    "prompt_lookup_max": 4,
    "prompt_lookup_min": 2,
}
SPECULATING = ("--speculative-config", json.dumps(NGRAMS))
TELLS = ("--enable-per-request-metrics", "--enable-prompt-tokens-details")
"""Times and cached tokens of each answer, in its last event."""
TELLS_DRAFTS = ("--per-request-spec-decode-metrics", "summary")
"""What was drafted too; refused by a server that does not speculate."""

_OURS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONPATH")
_VARIABLES = {
    "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass
class Vllm:
    """One server, on the same port each time it is started."""

    python: Path
    model: Path
    log: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def on_free_port(cls, python: Path, model: Path, log: Path) -> Vllm:
        """Not started yet."""
        return cls(python, model, log, free_port())

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        """Takes a minute or two. float32: a CPU without bf16 reads a prompt ten times sooner."""
        assert self.process is None, "it runs already"
        command = [
            str(self.python), "-m", "vllm.entrypoints.openai.api_server",
            "--model", str(self.model), "--host", "127.0.0.1", "--port", str(self.port),
            "--max-model-len", "2048", "--dtype", "float32", "--enforce-eager", *options,
        ]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if name not in _OURS}
        environment |= _VARIABLES
        health = f"{self.url}/health"
        self.process = app_process.start(command, self.log.parent, environment, self.log, health)

    def stop(self) -> None:
        """As a server is stopped; what does not end is killed."""
        if self.process is not None:
            started = self._started()
            app_process.stop(self.process)
            self.process = None
            _kill(started)

    def kill(self) -> None:
        """All its processes, at once."""
        assert self.process is not None
        _kill(self._started())
        self.process.wait()
        self.process = None

    def running(self) -> int:
        """Requests that it is answering now."""
        return self._sum("vllm:num_requests_running")

    def answered(self) -> int:
        """Requests that it has answered to their end."""
        return self._sum("vllm:request_success_total")

    def counted(self) -> Counted:
        """What it has drafted so far."""
        found = read_counters(self._metrics())
        assert found is not None
        return found

    def _metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics", timeout=60).text

    def _sum(self, name: str) -> int:
        families = text_string_to_metric_families(self._metrics())
        samples = (sample for family in families for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == name))

    def _started(self) -> list[psutil.Process]:
        assert self.process is not None
        itself = psutil.Process(self.process.pid)
        return [itself, *itself.children(recursive=True)]


def _kill(processes: list[psutil.Process]) -> None:
    for each in processes:
        if each.is_running():
            each.kill()
    psutil.wait_procs(processes, timeout=60)
