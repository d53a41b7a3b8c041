"""Where the training of an STFAN begins."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.networks.stfan import STFAN, STFANConfig
from vsrcli.networks.stfan_initialization import (
    SMEAR,
    initialize,
    restored_alike,
    restored_alone,
)

THIN = STFANConfig(channels=(4, 6, 8))


@pytest.fixture
def network() -> STFAN:
    network = STFAN(THIN)
    initialize(network, torch.Generator().manual_seed(1))
    return network


def soft(count: int, rows: int, columns: int) -> Tensor:
    """Frames (count, 3, 4 * rows, 4 * columns) whose neighboring pixels are alike, as in pictures:
    pure noise would leave the layers' linear part."""
    drawn = 0.25 + 0.5 * torch.rand(count, 3, rows, columns)
    return F.interpolate(drawn, scale_factor=4, mode="bilinear")


def told(network: STFAN, frames: Tensor, smears: Tensor) -> Tensor:
    """Frames restored one by one, each with its smear in the place of what the network sees."""
    seen = network.look(frames, frames, frames)
    seen[:, :SMEAR] = smears[:, :, None, None]
    restored, _ = network.step(frames, network.encode(frames), None, seen)
    return restored


@torch.no_grad()
def test_starts_near_the_identity(network: STFAN) -> None:
    frames = torch.rand(1, 3, 3, 32, 32)
    assert 0 < (network(frames) - frames).std() < 0.01


@torch.no_grad()
def test_starts_linear(network: STFAN) -> None:
    """What the whole network makes of known smears is what its linear layers alone do."""
    frames = soft(3, 8, 10)
    smears = torch.randn(3, SMEAR)
    network.get_submodule("fac_deblur.3.0").weight.mul_(10)  # so that there is something to see
    change = told(network, frames, smears) - frames
    alone = restored_alike(network, frames, smears) - frames
    # Leaky ReLUs read what encoder and decoder make near the border, where features end.
    inside = (..., slice(8, -8), slice(8, -8))
    assert alone.std() > 0.01
    torch.testing.assert_close(change[inside], alone[inside], atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_filters_may_differ_from_place_to_place(network: STFAN) -> None:
    frames = soft(2, 12, 12)
    seen = torch.randn(2, THIN.channels[-1], 12, 12)
    network.get_submodule("fac_deblur.3.0").weight.mul_(10)
    whole, _ = network.step(frames, network.encode(frames), None, seen)
    change, alone = whole - frames, restored_alone(network, frames, seen) - frames
    inside = (..., slice(8, -8), slice(8, -8))
    assert alone.std() > 0.01
    torch.testing.assert_close(change[inside], alone[inside], atol=1e-4, rtol=1e-3)
    same = restored_alike(network, frames, seen[:, :SMEAR, 6, 6]) - frames
    assert (same - alone).std() > 0.3 * alone.std()


@torch.no_grad()
def test_smears_make_the_filters(network: STFAN) -> None:
    frames = torch.rand(1, 3, 32, 32).expand(2, -1, -1, -1)
    one, other = told(network, frames, torch.eye(2, SMEAR))
    assert (one - other).abs().mean() > 0.1 * (one - frames[0]).abs().mean()


def test_what_has_no_influence_learns(network: STFAN) -> None:
    """After a step the rest of what the network sees matters as well."""
    frames = torch.rand(1, 2, 3, 32, 32)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (network(frames) - frames.flip(-1)).square().mean().backward()
        optimizer.step()
    optimizer.zero_grad()
    network(frames).square().mean().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
