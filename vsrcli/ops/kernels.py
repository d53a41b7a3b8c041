"""The kernels of this package that are written in Triton."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor


def triton_kernel(name: str, *inputs: Tensor) -> ModuleType | None:
    """The module `vsrcli.ops.<name>` if it can take these inputs: on a card, no gradient wanted,
    where Triton works. None if there is no such way."""
    differentiable = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    if differentiable or not inputs[0].is_cuda or not _triton_works(inputs[0].device):
        return None
    return import_module(f"vsrcli.ops.{name}")


@lru_cache(maxsize=8)
def _triton_works(device: torch.device) -> bool:
    """Whether the smallest kernel compiles and runs: Triton may not be installed, find no C
    compiler, or not know the card."""
    try:
        clamp = import_module("vsrcli.ops.clamp_triton")
        x = torch.ones(1, 16, 1, 1, device=device)
        bounds = torch.zeros(2, 16, device=device)
        made: Tensor = clamp.clamped(x, *bounds)
        return not made.any()
    except Exception:  # whatever is missing, there is the other way
        return False
