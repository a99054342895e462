"""Peers of a few lines: what `load` returns, and how the coordinator starts them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specchat.bench.peers.worker_process import Launch

EOS = 9

COUNTING = """
    def load(config):
        def generate(ids, max_tokens, mode, emit):
            print("a library may print")
            for step in range(max_tokens):
                emit([ids[-1] + 1 + step + mode.get("off", 0)])
        return generate
"""
"""Says the numbers after the prompt's last one."""

DYING = """
    import os, sys
    def load(config):
        def generate(ids, max_tokens, mode, emit):
            if ids[0] == 2:
                print("out of luck", file=sys.stderr)
                os._exit(7)
            emit([ids[-1] + 1])
        return generate
"""
"""Ends at a prompt that begins with 2."""


def launch(
    folder: Path, source: str, mode: Mapping[str, Any] | None = None, **options: Any
) -> Launch:
    """A worker of this source, written to `folder`."""
    file = folder / f"worker_{abs(hash(source))}.py"
    file.write_text(textwrap.dedent(source))
    config = {"model": "", "threads": 1, "eos_ids": [EOS], "context": 64, "bf16": False}
    return Launch(Path(sys.executable), file, config | {"options": options}, None, mode or {})
