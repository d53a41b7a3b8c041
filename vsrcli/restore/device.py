"""Where and how precisely a network runs."""

from __future__ import annotations

import math
import re
import time
from typing import Literal

import torch
import torch.nn.functional as F

from vsrcli.errors import DeviceError, UsageError

Precision = Literal["auto", "fp32", "fp16", "bf16"]

Backend = Literal["torch", "onnx"]
"""What computes: torch, or ONNX Runtime."""

_PROBE_RUNS = 8
"""Of the convolution that decides between fp32 and bf16, in each."""

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

_TELLS_SUPPORT = {
    torch.float16: "_is_mkldnn_fp16_supported",
    torch.bfloat16: "_is_mkldnn_bf16_supported",
}
"""Operators of the library that convolves on a CPU: whether it takes these types at all."""


def find_device(name: str = "auto") -> torch.device:
    """The device called `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.

    Raises UsageError for another name and DeviceError when the device is not there.
    """
    if name == "auto":
        return torch.device(_best_type())
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"Unknown device {name!r}; use auto, cpu, cuda, cuda:N or mps")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"No device {name}: torch sees {torch.cuda.device_count()} CUDA devices; "
            "use --device cpu, or install a CUDA build of torch and the driver"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("No device mps on this machine; use --device cpu")
    return device


def _best_type() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def card_of(device: torch.device) -> int | None:
    """The number of the CUDA device; None for another kind."""
    return device.index or 0 if device.type == "cuda" else None


def find_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type to compute in; `auto` is fp16 on CUDA, and on a CPU the faster of fp32 and bf16."""
    if precision != "auto":
        if precision not in _DTYPES:
            raise UsageError(f"Unknown precision {precision!r}; use auto, fp32, fp16 or bf16")
        return _DTYPES[precision]
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and _gains_from(torch.bfloat16):
        return torch.bfloat16
    return torch.float32


def is_slower_than_fp32(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether `dtype` is no gain on this device: 16 bits on a CPU that has to emulate
    them, which takes up to ten times as long."""
    return device.type == "cpu" and dtype in _TELLS_SUPPORT and not _gains_from(dtype)


def _gains_from(dtype: torch.dtype) -> bool:
    """Whether a convolution of the networks' kind gains from 16 bits on this CPU; takes some ms.

    The two are run in turn, on one thread, and the best run counts: other work on the machine
    disturbs neither in all its runs, nor keeps threads waiting for each other.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    if not getattr(torch.ops.mkldnn, _TELLS_SUPPORT[dtype])():
        return False
    seconds = {torch.float32: math.inf, dtype: math.inf}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(_PROBE_RUNS):
            for one in seconds:
                x = torch.ones(1, 64, 32, 32, dtype=one)
                x = x.contiguous(memory_format=torch.channels_last)
                weight = torch.ones(64, 64, 3, 3, dtype=one)
                started = time.perf_counter()
                F.conv2d(x, weight, padding=1)
                seconds[one] = min(seconds[one], time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return seconds[dtype] < seconds[torch.float32]
