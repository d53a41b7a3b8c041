"""PSNR and SSIM against float64 formulas written anew in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vsrcli.quality.metrics import luma, psnr, psnr_y, ssim_y

Array = NDArray[np.float64]


def numpy_luma(rgb: Array) -> Array:
    return 16 + np.einsum("c,chw->hw", np.array([65.481, 128.553, 24.966]), rgb)


def numpy_ssim(x: Array, y: Array) -> float:
    """Window by window, straight from the definition."""
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a = x[top : top + 11, left : left + 11]
            b = y[top : top + 11, left : left + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a = (window * (a - mean_a) ** 2).sum()
            var_b = (window * (b - mean_b) ** 2).sum()
            cov = (window * (a - mean_a) * (b - mean_b)).sum()
            values.append(
                (2 * mean_a * mean_b + 6.5025)
                * (2 * cov + 58.5225)
                / ((mean_a**2 + mean_b**2 + 6.5025) * (var_a + var_b + 58.5225))
            )
    return float(np.mean(values))


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    first = torch.rand(3, 24, 31, generator=generator)
    return first, (first + 0.1 * torch.randn(3, 24, 31, generator=generator)).clamp(0, 1)


def test_luma_of_black_and_white() -> None:
    assert luma(torch.zeros(3, 1, 1)).item() == 16
    assert luma(torch.ones(3, 1, 1)).item() == pytest.approx(235, abs=1e-12)


def test_psnr_of_a_known_error() -> None:
    # One grey level of 255 everywhere is 219/255 code values of luma.
    first = torch.full((3, 8, 8), 0.5, dtype=torch.float64)
    second = first + 1 / 255
    assert psnr(first, second).item() == pytest.approx(48.1308036, abs=1e-6)
    assert psnr_y(first, second).item() == pytest.approx(20 * np.log10(255 / (219 / 255)), abs=1e-9)


@pytest.mark.parametrize("border", [0, 3])
def test_psnr_equals_numpy(pair: tuple[torch.Tensor, torch.Tensor], border: int) -> None:
    first, second = (x.double().numpy() for x in pair)
    inside = np.s_[border : 24 - border, border : 31 - border]
    error = (numpy_luma(first) - numpy_luma(second))[inside]
    assert psnr_y(*pair, border=border).item() == pytest.approx(
        10 * np.log10(255**2 / np.mean(error**2)), abs=1e-9
    )
    error = (first - second)[(slice(None), *inside)]
    assert psnr(*pair, border=border).item() == pytest.approx(
        -10 * np.log10(np.mean(error**2)), abs=1e-9
    )


def test_ssim_equals_numpy(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    first, second = (numpy_luma(x.double().numpy())[2:-2, 2:-2] for x in pair)
    assert ssim_y(*pair, border=2).item() == pytest.approx(numpy_ssim(first, second), abs=1e-9)
    assert ssim_y(pair[0], pair[0]).item() == pytest.approx(1, abs=1e-12)


def test_values_outside_the_range_are_clamped() -> None:
    white = torch.ones(3, 12, 12)
    assert psnr_y(white + 0.5, white).isinf()
    assert ssim_y(white + 0.5, white).item() == pytest.approx(1, abs=1e-12)


def test_batches_are_scored_one_by_one(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    first, second = pair
    together = psnr_y(torch.stack((first, second)), torch.stack((second, second)))
    assert together[0] == psnr_y(first, second)
    assert together[1].isinf()
