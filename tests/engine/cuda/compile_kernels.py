"""Compiles the kernels for GPUs that need not be there, down to machine code.

    python -m tests.engine.cuda.compile_kernels [--every]

prints what each took of a processor's shared memory, and fails where that is more than the GPU has:
all kernels for 9.0, and attention with the largest block that a step asks for on the GPU with the
least; with `--every` (a quarter of an hour) attention for four GPUs with every block, head size and
type.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from specchat.engine.cuda import fused_kernels as fused
from specchat.engine.cuda import kernels
from specchat.engine.cuda.step_tables import BLOCKS, largest_block

SHARED_KIB = {80: 163, 86: 99, 89: 99, 90: 227}
"""Of one block, by compute capability: CUDA C++ programming guide, technical specifications."""

HEAD_SIZES = (64, 128, 256)
KINDS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
TIGHTEST = (86, 128, "fp32")
PLAIN = {"HAS_SINKS": False, "HAS_CAP": False, "HAS_WINDOW": False}
RICH = {"HAS_SINKS": True, "HAS_CAP": True, "HAS_WINDOW": True}

DATA = (
    "query", "keys", "values", "key", "value", "out", "sinks", "logits", "x", "more", "total",
    "gate", "up", "cos", "sin",
)  # fmt: skip
TYPES = {
    **dict.fromkeys(["parts", "weights", "temperatures", "best_out"], "*fp32"),
    **dict.fromkeys(["scale", "softcap", "factor", "epsilon"], "fp32"),
    **dict.fromkeys(["window", "vocab", "part", "stride", "splits"], "i32"),
    **dict.fromkeys(
        ["split_keys", "block_request", "block_index", "starts", "counts", "contexts", "causals",
         "tables", "pages", "ancestors", "positions", "row_request", "slots", "rows", "where_out"],
        "*i64",
    ),
}  # fmt: skip


def compile_kernel(
    name: str,
    constants: dict[str, Any],
    *,
    target: int = 90,
    kind: str = "bf16",
    options: dict[str, int] | None = None,
    **changed: str,
) -> None:
    """Compile for a target and say how much shared memory a block takes; stop where too much."""
    function = getattr(kernels, f"_{name}_kernel", None) or getattr(fused, f"_{name}_kernel")
    types = dict.fromkeys(DATA, f"*{kind}") | TYPES | changed
    signature = {
        argument: "constexpr" if argument in constants else types.get(argument, "i32")
        for argument in function.arg_names
    }
    constexprs = {
        (place,): constants[argument]
        for place, argument in enumerate(function.arg_names)
        if argument in constants
    }
    source = ASTSource(fn=function, signature=signature, constexprs=constexprs)
    gpu = GPUTarget("cuda", target, 32)
    compiled = triton.compile(source, target=gpu, options=options or {})
    assert compiled.asm["cubin"]
    taken = compiled.metadata.shared / 1024
    print(f"sm_{target} {name} {taken:.1f} KiB of {SHARED_KIB[target]}", end="")
    print(f" {kind} {constants['DIM']} x {constants['BLOCK_M']}" if "BLOCK_M" in constants else "")
    sys.stdout.flush()
    assert taken <= SHARED_KIB[target]


def attention(target: int, kind: str, dim: int, block: int, rich: dict[str, bool] = RICH) -> None:
    """As `kernels.attend` launches it."""
    precise = kind == "fp32"
    constants = {
        "DIM": dim, "BLOCK_DIM": dim, "HEADS": 32, "KV_HEADS": 8, "BLOCK_M": block,
        "BLOCK_N": kernels.keys_at_once(dim, precise), "PAGE": 16,
        "PRECISION": "ieee" if precise else "tf32",
    }  # fmt: skip
    options = kernels.launch_options(block, dim)
    compile_kernel("attention", constants | rich, target=target, kind=kind, options=options)


def every_attention() -> None:
    for target, (kind, dtype), dim in itertools.product(SHARED_KIB, KINDS.items(), HEAD_SIZES):
        for block in BLOCKS:
            if block <= largest_block(dim, dtype):
                attention(target, kind, dim, block)


def main() -> None:
    for kind in ("bf16", "fp16"):
        attention(90, kind, 128, 16, PLAIN)
    target, dim, kind = TIGHTEST
    attention(target, kind, dim, largest_block(dim, KINDS[kind]))
    head = {"DIM": 128, "BLOCK_DIM": 128, "HEADS": 32}
    compile_kernel("join", head | {"BLOCK_SPLITS": 64})
    compile_kernel("write", {"HEADS": 8, "DIM": 128, "BLOCK": 128})
    compile_kernel("sample", {"PARTS": 16, "BLOCK": 1024}, keys="*i64")
    compile_kernel("norm", {"SIZE": 4096, "BLOCK": 4096, "ADDS": True}, weight="*bf16")
    compile_kernel("gate", {"SIZE": 12800, "BLOCK": 1024})
    compile_kernel("rotate", {"HEADS": 32, "HALF": 64, "BLOCK": 64})


if __name__ == "__main__":
    every_attention() if "--every" in sys.argv else main()
