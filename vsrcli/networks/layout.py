"""Memory layout of networks."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """`network`, its 4-D parameters laid out channels-last in place.

    `Module.to(memory_format=...)` refuses a module that also holds 5-D parameters.
    """
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
