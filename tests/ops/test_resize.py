"""Resampling, against MATLAB's imresize as the TGA fixture records it and against definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from parity import load_fixture

from vsrcli.ops.resize import Kernel, _at_once, enlarge, resize, weight_matrix

KERNELS: tuple[Kernel, ...] = ("bilinear", "bicubic", "lanczos")


def _direct(line: list[float], size: int, kernel: Kernel, antialias: bool) -> list[float]:
    """The same resampling, sample by sample in Python floats."""
    n = len(line)
    stretch = min(1.0, size / n) if antialias else 1.0

    def weight(x: float) -> float:
        x = abs(x)
        if kernel == "bilinear":
            return max(0.0, 1 - x)
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


def _imresize(picture: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """(H, W) by the steps of MATLAB's `imresize(picture, scale)`: for each output pixel the indices
    that its kernel may reach, counted from 1, their weights made to sum to 1, and indices beyond
    the picture looked up in an array of mirrored ones."""
    for axis in (0, 1):
        length = picture.shape[axis]
        size = math.ceil(length * scale)
        width = 4.0 if scale >= 1 else 4.0 / scale
        u = np.arange(1, size + 1) / scale + 0.5 * (1 - 1 / scale)
        left = np.floor(u - width / 2)
        indices = left[:, None] + np.arange(math.ceil(width) + 2)
        distance = np.abs(u[:, None] - indices) * min(scale, 1)
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        weights = near * (distance <= 1) + far * ((distance > 1) & (distance <= 2))
        weights /= weights.sum(1, keepdims=True)
        mirrored = np.concatenate((np.arange(length), np.arange(length)[::-1]))
        source = mirrored[(indices.astype(int) - 1) % (2 * length)]
        lines = np.moveaxis(picture, axis, -1)
        picture = np.moveaxis((lines[..., source] * weights).sum(-1), -1, axis)
    return picture


@pytest.mark.parametrize("scale", [1 / 4, 1 / 3, 1 / 2, 2.0, 3.0, 4.0])
def test_bicubic_is_imresize(scale: float) -> None:
    picture = 255 * torch.rand(24, 36)
    expected = torch.from_numpy(_imresize(picture.double().numpy(), scale))
    made = resize(picture, (expected.shape[0], expected.shape[1]))
    assert (made - expected).abs().max() < 1e-3  # of 255


def test_bicubic_of_a_dot() -> None:
    """The kernel at quarters of a pixel, worked out by hand."""
    line = torch.zeros(1, 12, dtype=torch.float64)
    line[0, 6] = 1
    half = torch.tensor([0, -0.01171875, 0.11328125, 0.43359375, -0.03515625, 0])
    assert (resize(line, (1, 6))[0] - half).abs().max() < 1e-12
    twice = resize(line, (1, 24))[0]
    near = torch.tensor([-0.0234375, -0.0703125, 0.2265625, 0.8671875])
    assert (twice[9:17] - torch.cat((near, near.flip(0)))).abs().max() < 1e-12
    assert twice[:9].abs().max() == twice[17:].abs().max() == 0


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


def test_autocast_does_not_round_pictures() -> None:
    planes = torch.rand(2, 12, 16)
    expected = _at_once(planes, (48, 64), "bicubic", True)
    with torch.autocast("cpu", torch.bfloat16):
        found = _at_once(planes, (48, 64), "bicubic", True)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "lanczos"])
def test_one_convolution_enlarges_as_well(scale: int, kernel: Kernel) -> None:
    """Down to the borders, and of pictures hardly larger than the kernel."""
    for shape in ((2, 3, 9, 12), (3, 3, 4)):
        x = torch.rand(shape)
        wanted = resize(x, (scale * shape[-2], scale * shape[-1]), kernel)
        assert (enlarge(x, scale, kernel) - wanted).abs().max() < 1e-6
