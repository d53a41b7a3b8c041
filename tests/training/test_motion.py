"""Pictures under moving cameras."""

from __future__ import annotations

import pytest
import torch

from vsrcli.training.data.cut import FRAMES
from vsrcli.training.motion import camera_path, photographs, regions, render

RAMP_ERROR = 0.05
"""torch's cubic kernel (a = -0.75) draws a ramp up to 3/64 of a pixel off."""


def affine(scale: float = 1.0, x: float = 0.0, y: float = 0.0) -> torch.Tensor:
    return torch.tensor([[scale, 0, x], [0, scale, y], [0, 0, 1.0]])


@pytest.fixture
def ramp() -> torch.Tensor:
    """(1, 2, 65, 65): channel 0 is x, channel 1 is y, in pixels from the center."""
    line = torch.arange(65.0) - 32
    return torch.stack((line.expand(65, 65), line[:, None].expand(65, 65)))[None]


def test_sub_pixel_motion_moves_a_ramp_by_that_much(ramp: torch.Tensor) -> None:
    path = torch.stack([affine(x=0.25 * t, y=-0.6 * t) for t in range(4)])[None]
    seen = render(ramp, path, 16)
    assert seen.shape == (1, 4, 2, 16, 16)
    line = torch.arange(16.0) - 7.5
    for t in range(4):
        expected_x = (line + 0.25 * t).expand(16, 16)
        expected_y = (line - 0.6 * t)[:, None].expand(16, 16)
        torch.testing.assert_close(seen[0, t, 0], expected_x, rtol=0, atol=RAMP_ERROR)
        torch.testing.assert_close(seen[0, t, 1], expected_y, rtol=0, atol=RAMP_ERROR)


def test_zoom_and_tilt_follow_the_homography(ramp: torch.Tensor) -> None:
    tilted = torch.tensor([[1.2, 0, 0], [0, 1.2, 0], [0.01, 0, 1]])
    seen = render(ramp, torch.stack((affine(1.5), tilted))[None], 16)
    line = torch.arange(16.0) - 7.5
    torch.testing.assert_close(seen[0, 0, 0], (1.5 * line).expand(16, 16), rtol=0, atol=RAMP_ERROR)
    expected = (1.2 * line / (1 + 0.01 * line)).expand(16, 16)
    torch.testing.assert_close(seen[0, 1, 0], expected, rtol=0, atol=RAMP_ERROR)


def test_whole_pixel_positions_keep_the_picture() -> None:
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    path = torch.stack((affine(), affine(x=3, y=-2)))[None]
    seen = render(picture, path, 16)
    torch.testing.assert_close(seen[0, 0], picture[0, :, 12:28, 12:28], rtol=0, atol=1e-5)
    torch.testing.assert_close(seen[0, 1], picture[0, :, 10:26, 15:31], rtol=0, atol=1e-5)


def test_cameras_move_smoothly_and_stay_near() -> None:
    path = camera_path(500, 128, torch.Generator().manual_seed(1))
    assert path.shape == (500, FRAMES, 3, 3)
    zoom = path[:, :, :2, :2].det().sqrt()
    assert zoom.min() > 0.8
    assert zoom.max() < 1.55
    # Pixels of the photograph from frame to frame: mostly few, often a fraction of one.
    steps = path[:, :, :2, 2].diff(dim=1).norm(dim=-1)
    assert 0.1 < (steps < 1).float().mean() < 0.6
    assert (steps > 12).float().mean() < 0.05


def test_share_of_slow_cameras() -> None:
    def speeds(share: float) -> torch.Tensor:
        path = camera_path(1000, 64, torch.Generator().manual_seed(1), share)
        zoom = path[:, 3, :2, :2].det().sqrt()
        moved = (path[:, -1] - path[:, 0])[:, 0, 2] / zoom / (FRAMES - 1)
        speed: torch.Tensor = moved.square().mean().sqrt()
        return speed

    assert speeds(1) == pytest.approx(0.7, rel=0.1)
    assert speeds(0) == pytest.approx(4, rel=0.1)
    assert speeds(0.75) == pytest.approx((0.75 * 0.7**2 + 0.25 * 4**2) ** 0.5, rel=0.15)


def test_places_with_more_texture_are_preferred() -> None:
    picture = torch.zeros(3, 40, 400, dtype=torch.uint8)
    picture[:, :, 200::2] = 255
    random = torch.Generator().manual_seed(0)
    chosen = regions((picture,), 200, 40, random).mean((1, 2, 3))
    anywhere = regions((picture,), 200, 40, random, tries=1).mean((1, 2, 3))
    assert 0.4 < (anywhere > 0.25).float().mean() < 0.6
    assert (chosen > 0.25).float().mean() > 0.8


def test_some_photographs_are_made_smaller_first() -> None:
    ramp = (2 * torch.arange(80)).to(torch.uint8).expand(3, 60, 80)  # two code values a pixel
    drawn = photographs([ramp], 24, 30, torch.Generator().manual_seed(4))
    assert drawn.shape == (24, 3, 30, 30)
    slopes = (255 * drawn[..., 4:-4].diff().mean((1, 2, 3))).round().tolist()
    assert {slopes.count(2), slopes.count(4)} <= set(range(6, 19)), slopes
    assert set(slopes) == {2, 4}
    low = photographs([ramp[:, :59]], 24, 30, torch.Generator().manual_seed(4))
    assert (255 * low.diff().mean((1, 2, 3))).round().tolist() == [2] * 24
