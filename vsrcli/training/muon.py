"""Muon: steps of the same length in every direction that a layer's kernel can move in.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024: the momentum of a
kernel, as a matrix from what a layer reads to what it writes, is replaced by the nearest matrix
whose singular values are all alike. A few strong directions then no longer hide the others. Steps
are as long as Adam's usually are (Liu et al., "Muon is scalable for LLM training", 2025), so that
both take the same learning rate.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import Parameter

_MOMENTUM = 0.95
_ROUNDS = 5
_POLYNOMIAL = (3.4445, -4.7750, 2.0315)
"""Of Jordan et al.: raises small singular values fast, and leaves those near 1 between 0.7 and
1.2."""
_LENGTH = 0.2
"""Root mean square of a step's entries by Adam, in learning rates (Liu et al. 2025)."""
_SMALLEST = 16
"""Kernels with fewer rows or columns have few directions; Adam does for them."""
_LAYERS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


class Muon(torch.optim.Optimizer):
    """For kernels, of shape (C, ...): each is taken as a matrix of C rows."""

    def __init__(self, kernels: Iterable[Parameter], lr: float) -> None:
        super().__init__(kernels, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step along the gradients; kernels without one stay."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is not None:
                    self._move(kernel, kernel.grad, group["lr"])

    def _move(self, kernel: Parameter, gradient: Tensor, rate: float) -> None:
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        momentum = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        ahead = gradient.lerp(momentum, _MOMENTUM).flatten(1)  # Nesterov's
        # The entries of a matrix with singular values of 1 have a root mean square of 1/sqrt(max).
        length = _LENGTH * max(ahead.shape) ** 0.5
        kernel.add_(orthogonal(ahead).view_as(kernel), alpha=-rate * length)


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the matrix with the same singular vectors and singular values of 1, by Newton and
    Schulz's iteration; (R, C) -> (R, C)."""
    a, b, c = _POLYNOMIAL
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x: Tensor = wide / wide.norm().clamp(min=1e-7)
    for _ in range(_ROUNDS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x if wide is matrix else x.T


def kernels_of(network: nn.Module) -> list[Parameter]:
    """The kernels that Muon does for: of convolutions and linear layers with room to move in."""
    kernels = [layer.weight for layer in network.modules() if isinstance(layer, _LAYERS)]
    return [
        kernel
        for kernel in kernels
        if isinstance(kernel, Parameter) and min(kernel.flatten(1).shape) >= _SMALLEST
    ]
