"""Strips make what the whole picture makes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.networks import strips
from vsrcli.networks.strips import by_strips


@pytest.mark.parametrize("height", [8, 9, 16, 37])
def test_strips_are_the_whole(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two convolutions and an enlargement, with zeros at the picture's edges only."""
    first, second = torch.randn(8, 3, 3, 3), torch.randn(8, 8, 3, 3)
    x = torch.randn(2, 3, height, 5)
    seen = []

    def layers(strip: Tensor) -> Tensor:
        seen.append(strip.shape[2])
        y = F.conv2d(strip, first, torch.ones(8), padding=1).relu_()
        return F.pixel_shuffle(F.conv2d(y, second, padding=1), 2)

    whole = layers(x)
    monkeypatch.setattr(strips, "_BYTES", 10 * 2 * 3 * 5 * 4)  # ten rows
    seen.clear()
    made = by_strips(layers, x, reach=2)
    assert max(seen) <= 14 and len(seen) == -(-height // 10)
    assert made.shape == whole.shape
    assert torch.allclose(made, whole, atol=1e-4)


def test_a_small_picture_is_not_cut() -> None:
    x = torch.randn(1, 3, 8, 8)
    assert by_strips(lambda strip: strip, x, reach=1) is x
