"""Builds `cpp/native.cpp` with the machine's C++ compiler; structures as in `cpp/types.h`."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import mmap
import platform
import shutil
import subprocess
import tempfile
import threading
from ctypes import POINTER, c_char_p, c_float, c_int64, c_void_p
from pathlib import Path

import torch

from specchat.engine.hardware import cache_directory, private_memory
from specchat.engine.model.quantized import GROUP, Quantized, quantized

log = logging.getLogger(__name__)

SOURCES = Path(__file__).with_name("cpp")
FLAGS = (
    "-O3", "-march=native", "-shared", "-fPIC", "-std=c++17", "-pthread",
    # Nothing that reorders sums, and no fusing but where the source says so: vectors.h says why.
    "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
)  # fmt: skip
BUILD_TIMEOUT_S = 300
FLOAT32, BF16, INT8, INT4 = range(4)
"""`Kind` of `cpp/types.h`."""
MOST_OWN = 64
"""Of `cpp/attention.h`: a window holds at least so many positions."""
_building = threading.Lock()
_library: ctypes.CDLL | None = None


class NativeUnavailableError(Exception):
    """The native step cannot be used here; the message says why. Nothing is lost but speed."""


class Table(ctypes.Structure):
    """An embedding, row-major `[rows, cols]`, in float32 or bf16."""

    _fields_ = [("data", c_void_p), ("cols", c_int64), ("kind", c_int64)]


class Matrix(ctypes.Structure):
    """A weight `[rows, cols]`, laid out as `cpp/types.h` says."""

    _fields_ = [
        ("data", c_void_p),
        ("bias", c_void_p),
        ("scales", c_void_p),
        ("rows", c_int64),
        ("cols", c_int64),
        ("kind", c_int64),
        ("bf16_products", c_int64),
    ]


class Layer(ctypes.Structure):
    """One decoder layer."""

    _fields_ = [
        *(
            (name, c_void_p)
            for name in (
                "attention_norm", "mlp_norm", "attention_out_norm", "mlp_out_norm", "query_norm",
                "key_norm",
            )
        ),
        ("window", c_int64),
        ("rope", c_int64),
        *((name, Matrix) for name in ("query", "key", "value", "output", "gate", "up", "down")),
    ]  # fmt: skip


class Rope(ctypes.Structure):
    """Rotary positions."""

    _fields_ = [("inverse_frequencies", c_void_p), ("scale", c_float)]


class Model(ctypes.Structure):
    """A whole model."""

    _fields_ = [
        *(
            (name, c_int64)
            for name in (
                "layers", "hidden", "heads", "kv_heads", "head_dim", "inner", "vocab", "rotated",
                "whole_norms", "activation",
            )
        ),
        *(
            (name, c_float)
            for name in (
                "norm_epsilon", "attention_scale", "embedding_scale", "residual_scale",
                "logit_scale", "score_cap", "logit_cap",
            )
        ),
        ("ropes", Rope * 2),
        ("final_norm", c_void_p),
        ("embedding", Table),
        ("head", Matrix),
        ("layer", POINTER(Layer)),
    ]  # fmt: skip


class Drafter(ctypes.Structure):
    """An MLP speculator."""

    _fields_ = [
        *((name, c_int64) for name in ("stages", "hidden", "inner", "vocab", "scale_input")),
        ("draft_vocab", c_int64),
        ("token_of", c_void_p),
        ("state_weight", c_float),
        ("embedding_weight", c_float),
        ("embedding", POINTER(Table)),
        *((name, POINTER(Matrix)) for name in ("projection", "head")),
        ("norm_weight", POINTER(c_void_p)),
        ("norm_bias", POINTER(c_void_p)),
    ]


def load_library() -> ctypes.CDLL:
    """The built library, from the cache directory when this machine built it before.

    Raises:
        NativeUnavailableError: no compiler, or it failed.
    """
    global _library
    with _building:
        if _library is None:
            _library = _load()
        return _library


def loaded_library() -> ctypes.CDLL | None:
    """The library if somebody loaded it."""
    return _library


def _load() -> ctypes.CDLL:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise NativeUnavailableError("no C++ compiler found")
    path = cache_directory() / f"native-{_fingerprint(compiler)}.so"
    if not path.exists():
        _build(compiler, path)
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeUnavailableError(f"the built library does not load: {error}") from None
    library.lanes.restype = c_int64
    library.room_floats.restype = c_int64
    library.room_floats.argtypes = [c_int64, c_int64, c_int64]
    library.fits_bf16.restype = c_int64
    library.fits_bf16.argtypes = [c_void_p, c_int64, c_int64]
    library.lay_out.restype = None
    library.lay_out.argtypes = [c_void_p, c_int64, c_int64, c_int64, c_void_p, c_int64, c_int64]
    library.run_step.restype = c_int64
    library.run_step.argtypes = [POINTER(Model), c_char_p, c_int64, c_void_p, c_int64]
    library.gumbel_noise.restype = None
    library.gumbel_noise.argtypes = [c_void_p, c_int64, c_int64, c_void_p]
    library.choose_tokens.restype = None
    library.choose_tokens.argtypes = [
        c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_int64,
    ]  # fmt: skip
    library.run_draft.restype = None
    library.run_draft.argtypes = [
        POINTER(Drafter), c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p,
        c_void_p, c_void_p, c_void_p, c_float, c_int64,
    ]  # fmt: skip
    return library


def fits_bf16(weight: torch.Tensor) -> bool:
    """True where bf16 loses nothing of a weight."""
    if weight.dtype == torch.bfloat16:
        return True
    weight = weight.detach().float().contiguous()
    return bool(load_library().fits_bf16(weight.data_ptr(), weight.numel(), 1))


def compact(weight: torch.Tensor) -> torch.Tensor:
    """The weight in bf16 where that loses nothing, which halves what a step reads; else float32."""
    weight = weight.detach().contiguous()
    return weight.to(torch.bfloat16) if fits_bf16(weight) else weight.float()


class Shelf:
    """Keeps what the library reads alive, weights side by side on huge pages where there are any:
    a step reads all of them, and small pages cost it a few per cent in address lookups."""

    CHUNK = 2**25

    def __init__(self) -> None:
        self._kept: list[torch.Tensor] = []
        self._chunk = torch.empty(0, dtype=torch.uint8)
        self._used = 0

    def keep(self, tensor: torch.Tensor) -> int:
        """Keep a tensor as it is; returns its address."""
        self._kept.append(tensor)
        return tensor.data_ptr()

    def copy(self, tensor: torch.Tensor) -> int:
        """Keep a contiguous copy; returns its address."""
        place = self.room(tensor.numel() * tensor.element_size())
        place.view(tensor.dtype).view(tensor.shape).copy_(tensor)
        return place.data_ptr()

    def room(self, size: int) -> torch.Tensor:
        """So many bytes to be filled, uint8."""
        if self._used + size > len(self._chunk):
            self._chunk = _huge_pages(max(self.CHUNK, size))
            self._kept.append(self._chunk)
            self._used = 0
        place = self._chunk[self._used : self._used + size]
        self._used += -(-size // 64) * 64
        return place


def _huge_pages(size: int) -> torch.Tensor:
    memory = private_memory(size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.uint8)


def matrix(
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    shelf: Shelf,
    bf16_products: bool = False,
    *,
    compacted: bool = True,
) -> Matrix:
    """Lay out a weight for the library: in its few bits if it is quantised, else in bf16 where that
    loses nothing and it may be `compacted`.

    With `bf16_products` activations are rounded to bf16 too, as bf16 models are meant to run,
    where the weight is held in bf16.
    """
    rows, cols = weight.shape
    few_bits = quantized(weight)
    if few_bits is not None:
        return _quantized_matrix(few_bits, bias, shelf)
    weight = weight.detach().contiguous()
    held = compacted and cols % 2 == 0 and fits_bf16(weight)
    if not held or weight.dtype != torch.bfloat16:
        weight = weight.float()
    library = load_library()
    lanes = library.lanes()
    place = shelf.room(-(-rows // lanes) * lanes * cols * (2 if held else 4))
    library.lay_out(
        weight.data_ptr(), weight.dtype == torch.bfloat16, rows, cols, place.data_ptr(), held, 1
    )  # fmt: skip
    address = None if bias is None else vector(bias, shelf)
    kind = BF16 if held else FLOAT32
    return Matrix(place.data_ptr(), address, None, rows, cols, kind, int(held and bf16_products))


def _quantized_matrix(weight: Quantized, bias: torch.Tensor | None, shelf: Shelf) -> Matrix:
    rows, cols = weight.numbers.shape
    lanes = load_library().lanes()

    def in_blocks(tensor: torch.Tensor) -> torch.Tensor:  # [blocks, LANES, columns]
        return torch.nn.functional.pad(tensor, (0, 0, 0, -rows % lanes)).view(
            -1, lanes, tensor.shape[1]
        )

    address = None if bias is None else vector(bias, shelf)
    numbers = in_blocks(weight.numbers)
    if weight.least is None:
        data, scales = numbers.transpose(1, 2), vector(weight.scales, shelf)
        return Matrix(shelf.copy(data), address, scales, rows, cols, INT8, 0)
    places = 1 << torch.arange(0, 32, 4)
    words = (numbers.view(-1, lanes, cols // GROUP, 4, 8) * places).sum(-1)
    words = (words - (words >> 31 << 32)).to(torch.int32)  # the same bits
    parts = (
        in_blocks(weight.scales).transpose(1, 2),
        in_blocks(weight.least).transpose(1, 2),
        words.permute(0, 2, 3, 1).flatten(2),
    )
    data = torch.cat([part.contiguous().view(torch.uint8) for part in parts], -1)
    return Matrix(shelf.copy(data), address, None, rows, cols, INT4, 0)


def table(weight: torch.Tensor, shelf: Shelf) -> Table:
    """Describe an embedding."""
    data = compact(weight)
    return Table(shelf.keep(data), data.shape[1], BF16 if data.dtype == torch.bfloat16 else FLOAT32)


def vector(values: torch.Tensor, shelf: Shelf) -> int:
    """Address of a float32 copy."""
    return shelf.keep(values.detach().to(torch.float32).contiguous().clone())


def _build(compiler: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = Path(folder) / path.name
        command = [compiler, *FLAGS, "-o", str(built), str(SOURCES / "native.cpp")]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NativeUnavailableError(f"the C++ compiler failed: {error}") from None
        if done.returncode:
            log.warning("building the native step failed:\n%s", done.stderr)
            raise NativeUnavailableError("the C++ compiler failed; the log has its message")
        built.replace(path)


def _fingerprint(compiler: str) -> str:
    """Of the source, the flags and the processor, since the code is made for this one."""
    parts = [path.read_bytes() for path in sorted(SOURCES.iterdir())]
    parts += [" ".join(FLAGS).encode(), compiler.encode()]
    parts += [platform.machine().encode(), _processor_features().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor_features() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
