"""Smaller pictures: against torch's own resampling, against means, and where they lie."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from vsrcli.degradation.shrinking import Kernel, shrink


@pytest.mark.parametrize("kernel", get_args(Kernel))
@pytest.mark.parametrize("size", [12, 20, 29])
def test_every_kernel_keeps_places(kernel: Kernel, size: int) -> None:
    ramp = torch.arange(48.0).expand(1, 48, 48)
    centers = (torch.arange(float(size)) + 0.5) * 48 / size - 0.5
    inside = slice(size // 4, -size // 4)
    made = shrink(ramp, (size, size), kernel)[0]
    torch.testing.assert_close(made[3, inside], centers[inside], rtol=0, atol=0.1)
    made = shrink(ramp.mT, (size, size), kernel)[0]
    torch.testing.assert_close(made[inside, 3], centers[inside], rtol=0, atol=0.1)


def test_area_is_the_mean_of_what_a_pixel_covers() -> None:
    x = torch.rand(2, 3, 48, 20, dtype=torch.float64)
    fine = x.repeat_interleave(5, -2).repeat_interleave(3, -1)
    expected = F.avg_pool2d(fine, (8, 5))
    torch.testing.assert_close(shrink(x, (30, 12), "area"), expected)


def test_bilinear_is_the_widened_tent() -> None:
    x = torch.rand(1, 3, 48, 40)
    expected = F.interpolate(x, (18, 15), mode="bilinear", antialias=True)
    inside = (..., slice(2, -2), slice(2, -2))  # the border is mirrored here, left out there
    torch.testing.assert_close(shrink(x, (18, 15), "bilinear")[inside], expected[inside])
