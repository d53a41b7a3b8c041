"""Blurred clips against averages computed anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vsrcli.training import blur
from vsrcli.training.blur import BlurSource, Motion, Moving, exposed
from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.data.shard import TrainingSet

SPEED = 16.0
TIMES = torch.tensor([-1.0, 0.0, 1.0])
EXPOSURE = 0.75
"""With that speed the blur is 12 pixels long, which takes 13 sub-frames, a pixel apart."""


def panning(*speeds: float) -> Motion:
    """Cameras that move to the right, in pixels a frame, and do nothing else."""
    count = len(speeds)
    speed = torch.zeros(count, 4)
    speed[:, 0] = torch.tensor(speeds)
    waves = torch.zeros(count, 4, 1)
    return Motion(speed, torch.zeros(count, 4), waves, waves, waves)


def picture(side: int = 128) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(2))


def crop(pixels: np.ndarray, shift: int, size: int = 32) -> np.ndarray:
    """The middle of (1, 3, R, R), `shift` pixels further to the right."""
    first = (pixels.shape[-1] - size) // 2
    return pixels[0, :, first : first + size, first + shift : first + shift + size]


def test_exposure_is_the_mean_of_light() -> None:
    scene = picture()
    back = Moving(torch.arange(1), scene, panning(SPEED))
    blurred, sharp = exposed([back], TIMES, torch.full((1, 1), EXPOSURE), 32)
    assert blurred.shape == sharp.shape == (1, 3, 3, 32, 32)
    pixels = scene.double().numpy()
    for index, time in enumerate((-1, 0, 1)):
        middle = int(SPEED * time)
        light = np.mean([crop(pixels, middle + step) ** 2.2 for step in range(-6, 7)], axis=0)
        np.testing.assert_allclose(blurred[0, index], light ** (1 / 2.2), atol=2e-4)
        np.testing.assert_allclose(sharp[0, index], crop(pixels, middle), atol=2e-4)


def test_things_in_front_have_a_motion_of_their_own() -> None:
    scene, thing = picture(), picture().flip(-1)
    cover = torch.zeros(1, 1, 128, 128)
    cover[..., 64:, :] = 1
    back = Moving(torch.arange(2), scene.expand(2, -1, -1, -1), panning(0, 0))
    front = Moving(torch.tensor([1]), torch.cat((thing, cover), 1), panning(SPEED))
    blurred, sharp = exposed([back, front], TIMES, torch.full((2, 1), EXPOSURE), 32)
    still, pixels = crop(scene.numpy(), 0), thing.double().numpy()
    for clip, rows in ((0, slice(0, 32)), (1, slice(0, 14))):
        for made in (blurred, sharp):
            expected = np.broadcast_to(still[:, rows], (3, 3, still[:, rows].shape[1], 32))
            np.testing.assert_allclose(made[clip, :, :, rows], expected, atol=2e-4)
    light = np.mean([crop(pixels, 16 + step)[:, 18:] ** 2.2 for step in range(-6, 7)], axis=0)
    np.testing.assert_allclose(blurred[1, 2, :, 18:], light ** (1 / 2.2), atol=2e-4)
    np.testing.assert_allclose(sharp[1, 2, :, 18:], crop(pixels, 16)[:, 18:], atol=2e-4)


def test_long_blurs_take_more_sub_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    render = blur.render

    def counting(pictures: Tensor, path: Tensor, size: int) -> Tensor:
        nonlocal calls
        calls += 1
        return render(pictures, path, size)

    monkeypatch.setattr(blur, "render", counting)
    taken = []
    for speed in (0.0, 16.0, 20.0, 60.0):
        calls = 0
        back = Moving(torch.arange(1), picture(64), panning(speed))
        exposed([back], TIMES, torch.full((1, 1), EXPOSURE), 16)
        taken.append(calls)
    assert taken == [7, 13, 17, 25]


def flat_set(code: int) -> TrainingSet:
    still = torch.full((3, 300, 300), code, dtype=torch.uint8)
    return TrainingSet(torch.empty(0, FRAMES, 3, SIZE, SIZE, dtype=torch.uint8), (still,))


def test_blurred_clips_are_a_little_noisy_and_rounded() -> None:
    blurred, sharp = BlurSource(flat_set(100), 32, 4).batch(6, torch.Generator().manual_seed(0))
    assert blurred.shape == sharp.shape == (6, 4, 3, 32, 32)
    torch.testing.assert_close(sharp, torch.full_like(sharp, 100 / 255), rtol=0, atol=1e-4)
    torch.testing.assert_close(blurred * 255, (blurred * 255).round(), rtol=0, atol=1e-4)
    noise = (blurred * 255 - 100).std((1, 2, 3, 4))
    assert noise.min() < 1 < noise.max() < 2.1


def test_pairs_show_the_same() -> None:
    still = torch.linspace(20, 230, 300).expand(3, 300, 300).to(torch.uint8)
    source = BlurSource(TrainingSet(flat_set(0).film, (still,)), 32, 4)
    first, second = (source.batch(6, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(map(torch.equal, first, second))
    blurred, sharp = first
    # A ramp blurred evenly stays what it is, whichever way the clip was turned.
    assert (blurred - sharp).abs().mean() < 0.02
    assert (blurred - sharp.flip(-1, -2)).abs().mean() > 0.04


def test_motion_is_now_slow_now_fast() -> None:
    motion = Motion.draw(400, 96, torch.Generator().manual_seed(0))
    path = motion.at(torch.arange(6.0).expand(400, 6) - 2.5)
    assert path.shape == (400, 6, 3, 3)
    ways = path[:, 1:, :2, 2].sub(path[:, :-1, :2, 2]).norm(dim=-1).mean(1)
    assert ways.quantile(0.05) < 2
    assert 3 < ways.median() < 12
    assert ways.quantile(0.95) > 15
