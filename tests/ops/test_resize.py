"""Resampling, against MATLAB's imresize as the TGA fixture records it and against definitions."""

from __future__ import annotations

import math

import pytest
import torch
from parity import load_fixture

from vsrcli.ops.resize import Kernel, _at_once, resize, weight_matrix

KERNELS: tuple[Kernel, ...] = ("bicubic", "lanczos")


def _direct(line: list[float], size: int, kernel: Kernel, antialias: bool) -> list[float]:
    """The same resampling, sample by sample in Python floats."""
    n = len(line)
    stretch = min(1.0, size / n) if antialias else 1.0

    def weight(x: float) -> float:
        x = abs(x)
        if kernel == "bicubic":
            if x <= 1:
                return 1.5 * x**3 - 2.5 * x**2 + 1
            return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
        if x == 0:
            return 1.0
        return 3 * math.sin(math.pi * x) * math.sin(math.pi * x / 3) / (math.pi * x) ** 2 * (x < 3)

    out = []
    for o in range(size):
        center = (o + 0.5) * n / size - 0.5
        total = value = 0.0
        for i in range(-4 * n, 5 * n):
            w = weight((center - i) * stretch)
            j = i % (2 * n)
            total += w
            value += w * line[j if j < n else 2 * n - 1 - j]
        out.append(value / total)
    return out


def test_bicubic_x4_is_the_recorded_imresize() -> None:
    fixture = load_fixture("tga")
    made = resize(fixture["lr"][:, 3], (112, 160))
    assert (made - fixture["bicubic"]).abs().max() < 2e-6


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize(("source", "target"), [(7, 28), (13, 19), (97, 150), (24, 6), (50, 7)])
def test_equals_the_definition(kernel: Kernel, antialias: bool, source: int, target: int) -> None:
    line = torch.rand(source, dtype=torch.float64)
    expected = torch.tensor(_direct(line.tolist(), target, kernel, antialias), dtype=torch.float64)
    across = resize(line.expand(3, source), (3, target), kernel, antialias)
    down = resize(line[:, None].expand(source, 2), (target, 2), kernel, antialias)
    assert (across - expected).abs().max() < 1e-12
    assert (down - expected[:, None]).abs().max() < 1e-12


@pytest.mark.parametrize("kernel", KERNELS)
def test_flat_pictures_stay_flat(kernel: Kernel) -> None:
    flat = torch.full((3, 11, 9), 0.37)
    assert (resize(flat, (40, 21), kernel) - 0.37).abs().max() < 1e-6


def test_upscaled_ramp_is_centred() -> None:
    """The half-pixel grid: a ramp keeps its middle, and its slope divides by the scale."""
    ramp = torch.arange(32, dtype=torch.float64).expand(4, 32)
    row = resize(ramp, (4, 128))[0]
    inner = torch.arange(16, 112)
    assert torch.allclose(row[inner], (inner.double() + 0.5) / 4 - 0.5, atol=1e-12)


def test_rows_of_the_matrix_sum_to_one() -> None:
    matrix = weight_matrix(31, 12, "lanczos", True)
    assert torch.allclose(matrix.sum(1), torch.ones(12, dtype=torch.float64), atol=1e-12)


def test_same_size_is_a_copy() -> None:
    x = torch.rand(3, 5, 6)
    same = resize(x, (5, 6))
    assert torch.equal(same, x)
    assert same.data_ptr() != x.data_ptr()


def test_keeps_type_and_leading_axes() -> None:
    x = torch.rand(2, 5, 3, 8, 8).to(torch.bfloat16)
    made = resize(x, (16, 12))
    assert made.shape == (2, 5, 3, 16, 12)
    assert made.dtype == torch.bfloat16


@pytest.mark.parametrize("size", [(28, 20), (5, 3), (7, 30)])
def test_the_way_for_cards_is_the_same(size: tuple[int, int]) -> None:
    picture = torch.rand(3, 7, 10, dtype=torch.float64)
    for kernel in KERNELS:
        made = _at_once(picture, size, kernel, antialias=True)
        assert (made - resize(picture, size, kernel)).abs().max() < 1e-12


@pytest.mark.cuda
def test_on_a_card() -> None:
    picture = torch.rand(2, 3, 18, 32)
    made = resize(picture.cuda(), (72, 128)).cpu()
    assert (made - resize(picture, (72, 128))).abs().max() < 1e-5
