"""Networks made faster by torch's compiler, while they are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vsrcli.networks.architectures import Network
from vsrcli.restore.compiling import compiled

_PARTS = {
    "tga": ("forward",),
    "fstrn": ("luma",),
    "spmc": ("estimate_flows", "steps"),
    # Its forward, hundreds of small loops, takes the compiler too long.
    "stdan": (),
    # One frame at a time: a clip would be unrolled.
    "stfan": ("encode", "look", "step"),
}
"""What is compiled of each network, of what a training calls."""


def compile_parts(network: Network, backend: str | Callable[..., Any] = "inductor") -> None:
    """Have the network compiled at its first call, for each size of sample."""
    for name in _PARTS[network.spec.network]:
        # On the object, where it hides the method; it is no part of the network's state.
        setattr(network, name, compiled(getattr(network, name), backend))


def is_compiled(network: Network) -> bool:
    """Whether `compile_parts` is in effect."""
    return any(name in vars(network) for name in _PARTS[network.spec.network])


def undo(network: Network) -> None:
    """Run the network as it is written again."""
    for name in _PARTS[network.spec.network]:
        vars(network).pop(name, None)
