"""4:2:0 planes against swscale's, and what they keep."""

from __future__ import annotations

import numpy as np
import torch
from ffmpeg import ffmpeg

from vsrcli.degradation.planes import from_planes, to_planes
from vsrcli.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb


def test_swscale_reads_the_planes_as_the_same_picture(real_clip: torch.Tensor) -> None:
    planes = to_planes(rgb_to_ycbcr(real_clip[:2]))
    assert planes.dtype == torch.uint8
    assert planes.shape == (2, 135, 160)
    raw = ["-f", "rawvideo", "-pix_fmt"]
    exact = "scale=in_color_matrix=bt601:in_range=tv:flags=bilinear+accurate_rnd+full_chroma_int"
    data = ffmpeg(
        *raw, "yuv420p", "-s", "160x90", "-i", "-", "-vf", exact, *raw, "rgb24", "-",
        stdin=planes.numpy().tobytes(),
    )  # fmt: skip
    theirs = np.frombuffer(data, np.uint8).reshape(2, 90, 160, 3).transpose(0, 3, 1, 2)
    difference = ycbcr_to_rgb(from_planes(planes)).numpy() * 255 - theirs
    # They draw chroma between its samples in another way; the mean is the same all the more.
    assert np.abs(difference).mean() < 2
    assert np.abs(difference.mean((0, 2, 3))).max() < 0.2


def test_grays_come_back() -> None:
    ramp = torch.linspace(0, 1, 256).view(1, 1, 1, 256).expand(1, 3, 4, 256)
    back = ycbcr_to_rgb(from_planes(to_planes(rgb_to_ycbcr(ramp))))
    assert (back - ramp).abs().max() <= 0.6 * 255 / 219 / 255


def test_straight_slopes_of_chroma_come_back() -> None:
    across = torch.linspace(0.2, 0.8, 32).expand(16, 32)
    down = torch.linspace(0.3, 0.7, 16)[:, None].expand(16, 32)
    picture = torch.stack((torch.full((16, 32), 0.5), across, down))[None]
    back = from_planes(to_planes(picture))
    inside = (..., slice(2, -2), slice(2, -2))
    assert (back - picture)[inside].abs().max() < 0.7 / 255
