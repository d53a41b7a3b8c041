"""Enlargement on the corner grid, against plain loops as the SPMC fixture records them."""

from __future__ import annotations

import pytest
import torch
from parity import load_fixture

from vsrcli.ops.corner_resize import corner_resize


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_equals_the_recorded_loops(scale: int, dtype: torch.dtype, close: float) -> None:
    fixture = load_fixture("spmc")
    made = corner_resize(fixture["resize.image"].to(dtype), scale)
    assert made.dtype == dtype
    assert (made - fixture[f"resize.bicubic_x{scale}"]).abs().max() < close


@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_coarse_pixels_are_kept(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    assert torch.equal(corner_resize(x, 3)[..., ::3, ::3], x)


def test_flat_pictures_stay_flat() -> None:
    flat = torch.full((1, 5, 4), 0.37, dtype=torch.float64)
    assert (corner_resize(flat, 4) - 0.37).abs().max() < 1e-14
