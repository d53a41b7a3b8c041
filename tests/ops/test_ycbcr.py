"""Luma and chroma, against the values that BT.601 in video range gives known colors."""

from __future__ import annotations

import pytest
import torch

from vsrcli.ops.ycbcr import LUMA_TO_RGB, rgb_to_luma, rgb_to_ycbcr, ycbcr_to_rgb

COLORS = {
    "black": ((0, 0, 0), (16, 128, 128)),
    "white": ((1, 1, 1), (235, 128, 128)),
    "red": ((1, 0, 0), (81.481, 90.203, 240)),
    "green": ((0, 1, 0), (144.553, 53.797, 34.214)),
    "blue": ((0, 0, 1), (40.966, 240, 109.786)),
}
PUBLISHED_INVERSE = (
    (0.00456621, 0, 0.00625893),
    (0.00456621, -0.00153632, -0.00318811),
    (0.00456621, 0.00791071, 0),
)
"""Times 255; what SPMC's authors use, rounded as they print it."""


@pytest.mark.parametrize("color", COLORS)
def test_known_colors(color: str) -> None:
    rgb, codes = COLORS[color]
    made = rgb_to_ycbcr(torch.tensor(rgb, dtype=torch.float64).view(3, 1, 1))
    assert torch.allclose(made.flatten() * 255, torch.tensor(codes, dtype=torch.float64))


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_there_and_back(dtype: torch.dtype, close: float) -> None:
    x = torch.rand(2, 5, 3, 4, 6, dtype=dtype) * 2 - 0.5
    back = ycbcr_to_rgb(rgb_to_ycbcr(x))
    assert back.dtype == dtype
    assert (back - x).abs().max() < close


def test_inverse_is_the_published_one() -> None:
    ycbcr = torch.rand(3, 4, 6, dtype=torch.float64)
    moved = ycbcr * 255 - torch.tensor([16, 128, 128]).view(3, 1, 1)
    matrix = torch.tensor(PUBLISHED_INVERSE, dtype=torch.float64)
    expected = torch.einsum("ij,jhw->ihw", matrix, moved)
    assert (ycbcr_to_rgb(ycbcr) - expected).abs().max() < 2e-6


def test_luma_is_the_first_plane() -> None:
    x = torch.rand(2, 3, 4, 6)
    assert torch.equal(rgb_to_luma(x), rgb_to_ycbcr(x)[:, :1])


def test_luma_moves_all_three_colors() -> None:
    ycbcr = torch.rand(3, 4, 6, dtype=torch.float64)
    lighter = ycbcr.clone()
    lighter[0] += 0.1
    change = ycbcr_to_rgb(lighter) - ycbcr_to_rgb(ycbcr)
    assert torch.allclose(change, torch.full_like(change, 0.1 * LUMA_TO_RGB))


def test_autocast_leaves_the_precision_alone() -> None:
    x = torch.rand(3, 4, 6)
    with torch.autocast("cpu", torch.bfloat16):
        made = rgb_to_ycbcr(x)
    assert torch.equal(made, rgb_to_ycbcr(x))
