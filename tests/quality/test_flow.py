"""Optical flow, on pictures that move as is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vsrcli.quality.flow import flow


def pattern(height: int, width: int, move: tuple[float, float] = (0, 0), zoom: float = 1) -> Tensor:
    """Waves of several lengths and directions (1, H, W) in code values, so that the picture is
    known between the pixels; moved by (x, y) and enlarged about its middle."""
    generator = torch.Generator().manual_seed(5)
    rows = (torch.arange(height) - height / 2 - move[1])[:, None] / zoom
    columns = (torch.arange(width) - width / 2 - move[0]) / zoom
    total = torch.zeros(height, width)
    for length in (7, 9, 13, 17, 24, 36, 50, 80):
        angle, phase = 2 * math.pi * torch.rand(2, generator=generator)
        along = columns * torch.cos(angle) + rows * torch.sin(angle)
        total += length / 2 * torch.sin(2 * math.pi * along / length + phase)
    return (128 + total)[None]


@pytest.mark.parametrize("move", [(0.3, -0.4), (3.5, -2.25), (-9.0, 4.0), (1.0, 10.0)])
def test_a_moved_picture(move: tuple[float, float]) -> None:
    found = flow(pattern(120, 161), pattern(120, 161, move))
    assert found.shape == (1, 2, 120, 161)
    error = (found[0] - torch.tensor(move)[:, None, None]).norm(dim=0)[20:-20, 20:-20]
    assert error.mean() < 0.1
    assert error.max() < 1


def test_an_enlarged_picture() -> None:
    found = flow(pattern(120, 160), pattern(120, 160, zoom=1.04))[0]
    expected = 0.04 * (torch.arange(160) - 80)
    assert (found[0, 20:-20, 20:-20] - expected[20:-20]).abs().mean() < 0.05


def test_nothing_moves_where_nothing_is() -> None:
    flat = torch.full((1, 40, 40), 90.0)
    assert flow(flat, flat).abs().max() == 0


def test_pictures_in_a_batch_do_not_touch() -> None:
    first = torch.cat([pattern(48, 64), pattern(48, 64)])
    second = torch.cat([pattern(48, 64, (2, 0)), pattern(48, 64, (0, -2))])
    together = flow(first, second)
    for index in range(2):
        alone = flow(first[index, None], second[index, None])[0]
        assert (together[index] - alone).abs().max() < 1e-4


@pytest.mark.cuda
def test_on_a_card() -> None:
    first, second = pattern(120, 160), pattern(120, 160, (3.5, -2))
    difference = flow(first.cuda(), second.cuda()).cpu() - flow(first, second)
    assert difference.abs().mean() < 1e-3
