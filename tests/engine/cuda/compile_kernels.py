"""Compiles the kernels for a card that need not be there; prints the name of each that compiles."""

from __future__ import annotations

from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from specchat.engine.cuda import fused_kernels as fused
from specchat.engine.cuda import kernels

TARGET = GPUTarget("cuda", 90, 32)
TYPES = {
    **dict.fromkeys(
        ["query", "keys", "values", "key", "value", "out", "sinks", "logits", "x", "more",
         "total", "gate", "up", "cos", "sin"],
        "*bf16",
    ),
    **dict.fromkeys(["parts", "weights", "temperatures", "best_out"], "*fp32"),
    **dict.fromkeys(["scale", "softcap", "factor", "epsilon"], "fp32"),
    **dict.fromkeys(["window", "vocab", "part", "stride", "splits"], "i32"),
    **dict.fromkeys(
        ["split_keys", "block_request", "block_index", "starts", "counts", "contexts", "causals",
         "tables", "pages", "ancestors", "positions", "row_request", "slots", "rows", "where_out"],
        "*i64",
    ),
}  # fmt: skip


def compile_kernel(name: str, constants: dict[str, Any], **changed: str) -> None:
    function = getattr(kernels, f"_{name}_kernel", None) or getattr(fused, f"_{name}_kernel")
    types = TYPES | changed
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
    compiled = triton.compile(source, target=TARGET)
    assert compiled.asm["cubin"]
    assert compiled.metadata.shared <= 227 * 1024
    print(name)


def main() -> None:
    head = {"DIM": 128, "BLOCK_DIM": 128, "HEADS": 32}
    grid = head | {"KV_HEADS": 8, "BLOCK_M": 16, "BLOCK_N": 64, "PAGE": 16, "PRECISION": "tf32"}
    plain = {"HAS_SINKS": False, "HAS_CAP": False, "HAS_WINDOW": False}
    rich = {"HAS_SINKS": True, "HAS_CAP": True, "HAS_WINDOW": True}
    compile_kernel("attention", grid | plain)
    wide = {"DIM": 256, "BLOCK_DIM": 256, "HEADS": 8, "KV_HEADS": 4, "BLOCK_N": 32}
    compile_kernel("attention", grid | rich | wide)
    compile_kernel("join", head | {"BLOCK_SPLITS": 64})
    compile_kernel("write", {"HEADS": 8, "DIM": 128, "BLOCK": 128})
    compile_kernel("sample", {"PARTS": 16, "BLOCK": 1024}, keys="*i64")
    compile_kernel("norm", {"SIZE": 4096, "BLOCK": 4096, "ADDS": True}, weight="*bf16")
    compile_kernel("gate", {"SIZE": 12800, "BLOCK": 1024})
    compile_kernel("rotate", {"HEADS": 32, "HALF": 64, "BLOCK": 64})


if __name__ == "__main__":
    main()
