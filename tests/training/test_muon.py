"""Muon against singular value decompositions in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vsrcli.training.muon import Muon, kernels_of, orthogonal


@pytest.mark.parametrize("shape", [(32, 32), (24, 96), (96, 24)])
def test_singular_values_become_alike_and_vectors_stay(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(5)
    drawn = torch.randn(shape, dtype=torch.float64, generator=generator)
    left, _, right = torch.linalg.svd(drawn, full_matrices=False)
    strengths = torch.logspace(-1.5, 0, min(shape), dtype=torch.float64)
    made = orthogonal((left * strengths @ right).float()).double()
    # In the basis of these vectors it is diagonal, and its diagonal is about 1.
    inside = left.T @ made @ right.T
    values = inside.diagonal()
    assert values.min() > 0.6 and values.max() < 1.25
    assert (inside - values.diag()).abs().max() < 1e-4
    torch.testing.assert_close(left @ inside @ right, made, rtol=0, atol=1e-5)


def test_step_is_as_long_as_adams_usually_is() -> None:
    kernel = nn.Parameter(torch.zeros(32, 16, 3, 3))
    kernel.grad = 1e-6 * torch.randn(kernel.shape, generator=torch.Generator().manual_seed(6))
    Muon([kernel], lr=1e-2).step()
    assert kernel.square().mean().sqrt().item() == pytest.approx(0.2e-2, rel=0.2)
    assert (kernel * kernel.grad).sum() < 0


def test_momentum_outlasts_a_gradient() -> None:
    """Nesterov's: beside the average of all gradients the present one counts once more."""
    first, second = torch.zeros(2, 16, 16)
    first.fill_diagonal_(1)
    second[0, 0] = 1
    kernel = nn.Parameter(torch.zeros(16, 16))
    muon = Muon([kernel], lr=1)
    for gradient in (first, second):
        kernel.grad = gradient
        muon.step()
    momentum = 0.95 * 0.05 * first + 0.05 * second
    expected = orthogonal(0.05 * first + 0.95 * 0.05 * first)
    expected = expected + orthogonal(0.05 * second + 0.95 * momentum)
    torch.testing.assert_close(kernel.detach(), -0.2 * 4 * expected)


def test_kernel_without_gradient_stays() -> None:
    kernel = nn.Parameter(torch.ones(16, 16))
    Muon([kernel], lr=1).step()
    assert (kernel == 1).all()


def test_only_kernels_with_many_directions_are_taken() -> None:
    network = nn.Sequential(
        nn.Conv3d(16, 16, (1, 3, 3)),
        nn.Conv2d(3, 64, 3),  # 64 x 27
        nn.Conv2d(64, 64, 3, groups=64),  # 64 x 9
        nn.Conv2d(64, 3, 3),  # 3 x 576
        nn.BatchNorm2d(64),
        nn.Linear(64, 32),
    )
    assert [tuple(kernel.shape) for kernel in kernels_of(network)] == [
        (16, 16, 1, 3, 3),
        (64, 3, 3, 3),
        (32, 64),
    ]
