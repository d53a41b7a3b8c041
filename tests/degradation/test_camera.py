"""The camera before the encoder: what it moves (nothing), blurs and adds."""

from __future__ import annotations

import pytest
import torch

from vsrcli.degradation import camera
from vsrcli.degradation.camera import seen_by_camera


def spot(side: int) -> torch.Tensor:
    """A round light in the middle, (2, 3, side, side)."""
    line = (torch.arange(side) - (side - 1) / 2).square()
    light = torch.exp(-(line[:, None] + line) / (2 * (side / 24) ** 2))
    return light.expand(2, 3, side, side)


def moments(picture: torch.Tensor) -> tuple[float, float, float]:
    """Where the light of a picture (H, W) has its middle, y and x, and its variance over both."""
    share = picture / picture.sum()
    line = torch.arange(len(picture)) - (len(picture) - 1) / 2
    y, x = float(share.sum(1) @ line), float(share.sum(0) @ line)
    return y, x, float(share.sum(1) @ line.square() + share.sum(0) @ line.square()) - y * y - x * x


@pytest.fixture
def without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_NOISY", 0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_nothing_moves(scale: int, without_noise: None) -> None:
    generator = torch.Generator().manual_seed(scale)
    side = 24 * scale
    for _ in range(30):
        seen = seen_by_camera(spot(side), (24, 24), generator)
        assert seen.shape == (2, 3, 24, 24)
        y, x, _ = moments(seen[1, 2])
        assert abs(y) < 0.02
        assert abs(x) < 0.02


@pytest.mark.parametrize("twice", [0, 1])
def test_the_blur_is_as_wide_as_it_says(
    twice: int, without_noise: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"_KERNELS": {"bicubic": 1.0}, "_SHAPE": (1, 1), "_TWO_STEPS": twice}
    settings |= {"_BLUR": (0.6, 0.6)}
    for name, value in settings.items():
        monkeypatch.setattr(camera, name, value)
    variances = []
    for blurred in (0, 1):
        monkeypatch.setattr(camera, "_BLURRED", blurred)
        seen = seen_by_camera(spot(96), (24, 24), torch.Generator().manual_seed(5))
        variances.append(moments(seen[0, 0])[2])
    # Of a variance of 0.36 in either direction a tenth falls to the kernel's end at 2.5 sigma.
    assert 0.6 < variances[1] - variances[0] < 0.73


def test_noise_has_no_mean_and_every_frame_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_NOISY", 1)
    generator = torch.Generator().manual_seed(0)
    gray = 0
    for _ in range(20):
        seen = seen_by_camera(torch.full((6, 3, 96, 96), 0.5), (48, 48), generator)
        noise = (seen - 0.5) * 255
        assert 0.1 < noise.std() < 4.2
        # Five standard errors, and more for noise that a second step has spread over neighbors.
        assert noise.mean().abs() < 15 * noise.std() / noise[:, 0].numel() ** 0.5
        frames = torch.corrcoef(noise.flatten(1)) - torch.eye(6)
        assert frames.abs().max() < 0.15
        gray += torch.equal(noise[:, 0], noise[:, 2])
    assert 4 <= gray <= 16


def test_shot_noise_grows_with_the_root_of_the_light(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_NOISY": 1, "_BLURRED": 0, "_TWO_STEPS": 0, "_SHOT": 1}.items():
        monkeypatch.setattr(camera, name, value)
    spread = [
        seen_by_camera(torch.full((4, 3, 64, 64), level), (32, 32), generator).std()
        for level in (0.1, 0.9)
        for generator in [torch.Generator().manual_seed(1)]
    ]
    torch.testing.assert_close(spread[1] / spread[0], torch.tensor(3.0), rtol=0.02, atol=0)
