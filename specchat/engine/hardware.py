"""What computes: its name, its processors, its memory."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch


def describe_hardware(device: torch.device) -> str:
    """For example `NVIDIA H200` or `AMD EPYC, 2 threads`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_cpu_name()}, {torch.get_num_threads()} threads"


def has_gpu() -> bool:
    """Whether there is one that PyTorch can use."""
    return torch.cuda.is_available()


def cache_directory() -> Path:
    """Where this user's computed things are kept."""
    try:
        import platformdirs

        path = Path(platformdirs.user_cache_dir("specchat"))
        path.mkdir(parents=True, exist_ok=True)
    except (ImportError, OSError):  # a machine for measuring has only what the engine needs
        path = Path(tempfile.gettempdir()) / f"specchat-{os.getuid()}"
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def on_cuda_device(device: torch.device) -> AbstractContextManager[Any]:
    """Makes `device` the current GPU, for what goes to the current one: kernels, streams and
    graphs. Does nothing for a CPU."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def is_device_lost(error: Exception, devices: Iterable[torch.device]) -> bool:
    """Whether one of the GPUs has failed for good, as after an illegal access or an assertion in a
    kernel: each further call on it fails then, which one that was merely too large does not."""
    gpus = [device for device in devices if device.type == "cuda"]
    if not gpus:
        return isinstance(error, torch.AcceleratorError)
    try:
        for gpu in gpus:
            torch.cuda.synchronize(gpu)
    except Exception:
        return True
    return False


def usable_cpus(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """CPUs this process may keep busy: its affinity, and the quota of its container if one is set.

    More threads than that would wait for each other at every layer.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        cpus = min(cpus, int(quota) // int(period))
    except (OSError, ValueError):  # no quota is set: the file is missing or says "max"
        pass
    return max(1, cpus)


def private_memory(size: int) -> mmap.mmap:
    """`size` bytes of zeros that take memory once they are written. Shared memory, which is what
    Python maps unless it is told otherwise, gets no huge pages and is not given back."""
    kind = getattr(mmap, "MAP_PRIVATE", None)
    if kind is None:  # Windows
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=kind | mmap.MAP_ANONYMOUS)


def page_out(tensors: Iterable[torch.Tensor]) -> None:
    """Give back the memory of CPU tensors that are mapped from files and hardly read any more; what
    is read again comes from the file. Memory of other kinds stays as it is."""
    if not sys.platform.startswith("linux"):
        return
    advise, page = ctypes.CDLL(None).madvise, mmap.PAGESIZE
    for tensor in tensors:
        if tensor.device.type == "cpu":
            start = -(-tensor.data_ptr() // page) * page
            size = (tensor.data_ptr() + tensor.nbytes - start) // page * page
            if size > 0:
                advise(ctypes.c_void_p(start), ctypes.c_size_t(size), _MADV_PAGEOUT)


_MADV_PAGEOUT = 21  # of Linux 5.4; an older one refuses it


def multiplies_bf16() -> bool:
    """Whether this CPU has instructions that multiply bfloat16 numbers at twice float32's rate."""
    return "avx512_bf16" in _cpu_flags()


def _cpu_flags() -> list[str]:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return line.split()
    except OSError:
        pass
    return []


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
