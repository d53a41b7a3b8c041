"""What STDAN does before it is trained."""

from __future__ import annotations

import torch
from models import TINY_STDAN as TINY

from vsrcli.networks.stdan import STDAN
from vsrcli.networks.stdan_initialization import initialize
from vsrcli.ops.deform import OffsetConv
from vsrcli.ops.resize import resize


@torch.no_grad()
def test_starts_near_the_interpolation_in_space_and_time() -> None:
    network = STDAN(TINY).eval()
    initialize(network, torch.Generator().manual_seed(1))
    coarse = torch.rand(4, 3, 5, 6, generator=torch.Generator().manual_seed(2))
    frames = resize(coarse, (24, 32))
    restored = network(frames[None])[0]
    large = resize(frames, (96, 128))
    between = (large[1:] + large[:-1]) / 2
    inner = (..., slice(8, -8), slice(8, -8))  # around the picture, layers see zeros
    distance = (large[1:] - large[:-1])[inner].abs().mean()
    assert (restored[::2] - large)[inner].abs().mean() < 0.05 * distance
    assert 0 < (restored[1::2] - between)[inner].abs().mean() < 0.05 * distance


def test_equal_generators_start_equal() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(5)
        network = STDAN(TINY)
        initialize(network, torch.Generator().manual_seed(3))
        states.append(network.state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_offsets_start_at_zero() -> None:
    network = STDAN(TINY)
    initialize(network, torch.Generator().manual_seed(3))
    convs = [m for m in network.modules() if isinstance(m, OffsetConv)]
    assert convs and not any(m.weight.any() or m.bias.any() for m in convs)
