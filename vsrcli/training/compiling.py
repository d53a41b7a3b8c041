"""Networks made faster by torch's compiler, while they are trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch

from vsrcli.networks.architectures import Network

_PARTS = {
    "tga": ("forward",),
    "fstrn": ("luma",),
    "spmc": ("estimate_flows", "steps"),
    # Its forward, hundreds of small loops, takes the compiler too long.
    "stdan": (),
    # One frame at a time: a clip would be unrolled.
    "stfan": ("encode", "step"),
}
"""What is compiled of each network, of what a training calls."""


def compile_parts(network: Network, backend: str | Callable[..., Any] = "inductor") -> None:
    """Have the network compiled at its first call, for each size of sample."""
    # Tables that are cached in Python are computed anew in compiled code, which is little work.
    warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")
    for name in _PARTS[network.spec.network]:
        part = torch.compile(getattr(network, name), dynamic=False, backend=backend)
        # On the object, where it hides the method; it is no part of the network's state.
        setattr(network, name, part)


def is_compiled(network: Network) -> bool:
    """Whether `compile_parts` is in effect."""
    return any(name in vars(network) for name in _PARTS[network.spec.network])


def undo(network: Network) -> None:
    """Run the network as it is written again."""
    for name in _PARTS[network.spec.network]:
        vars(network).pop(name, None)
