"""Bicubic and Lanczos enlargement as models: the baselines, and the pipeline's own test."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from torch import Tensor, nn

from vsrcli.networks.spec import Spec, Window, forward_window
from vsrcli.ops.resize import Kernel, resize

SPEC = Spec(
    network="resample",
    task="upscale",
    scales=(),
    strategy=Window(radius=0),
    multiple=1,
    reach=3,
    halo=3,
    activations=12,
    paper="",
)


class Resample(nn.Module):
    """(B, 1, 3, H, W) -> (B, 1, 3, round(H * scale_y), round(W * scale_x)), each frame by
    itself."""

    spec = SPEC

    def __init__(self, kernel: Kernel, scale: tuple[Fraction, Fraction]) -> None:
        super().__init__()
        self.kernel = kernel
        self.scale = scale

    def forward(self, frames: Tensor) -> Tensor:
        return forward_window(self, frames, 0)

    def frame_features(self, frames: Tensor) -> Tensor:
        """The frames themselves."""
        return frames

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, H', W')."""
        height, width = center.shape[-2:]
        size = (round(height * self.scale[0]), round(width * self.scale[1]))
        return resize(center, size, self.kernel)
