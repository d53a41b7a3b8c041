"""Smears of a shaking camera against shifts and means made by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vsrcli.networks.stfan_initialization import SMEAR
from vsrcli.training import shake
from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.shake import Shaken, ShakeSource, described, transfer


@pytest.fixture(scope="module")
def textured() -> TrainingSet:
    still = torch.rand(1, 3, 75, 75, generator=torch.Generator().manual_seed(2))
    large = torch.nn.functional.interpolate(still, scale_factor=4, mode="bicubic")[0]
    film = torch.empty(0, FRAMES, 3, SIZE, SIZE, dtype=torch.uint8)
    return TrainingSet(film, ((large.clamp(0, 1) * 255).to(torch.uint8),))


@pytest.fixture(scope="module")
def clips(textured: TrainingSet) -> Shaken:
    return ShakeSource(textured, 48, 3).batch(24, torch.Generator().manual_seed(3))


def smeared(pictures: Tensor, ways: Tensor) -> Tensor:
    side = pictures.shape[-1]
    made: Tensor = torch.fft.irfft2(torch.fft.rfft2(pictures) * transfer(ways, side), s=(side,) * 2)
    return made


def test_a_way_shifts_what_is_seen() -> None:
    scene = torch.rand(32, 32, dtype=torch.float64)
    moved = smeared(scene, torch.tensor([[3.0, -2.0]], dtype=torch.float64))
    # What was 3 to the right and 2 above is in the camera's middle now.
    torch.testing.assert_close(moved, scene.roll((2, -3), (0, 1)), atol=1e-6, rtol=0)


def test_a_longer_way_is_the_mean_of_its_shifts() -> None:
    scene = torch.rand(2, 32, 32, dtype=torch.float64)
    ways = torch.tensor([[[0, 0], [1, 0], [2, 1]], [[0, 4], [0, 0], [-1, 0]]]).double()
    means = [
        torch.stack([picture.roll((-int(y), -int(x)), (0, 1)) for x, y in way]).mean(0)
        for picture, way in zip(scene, ways, strict=True)
    ]
    torch.testing.assert_close(smeared(scene, ways), torch.stack(means), atol=1e-6, rtol=0)


@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_description_of_a_straight_smear(degrees: int) -> None:
    angle = math.radians(degrees)
    end = 6 * torch.tensor([math.cos(angle), math.sin(angle)])
    way = torch.linspace(-1, 1, 25)[:, None] * end
    double = torch.tensor([3.0, 3 * math.cos(2 * angle), 3 * math.sin(2 * angle), 0, 0])
    assert described(way).shape == (SMEAR,)
    torch.testing.assert_close(described(way), double, atol=1e-5, rtol=0)
    torch.testing.assert_close(described(way.flip(0)), double, atol=1e-5, rtol=0)


def test_description_of_a_bent_smear() -> None:
    way = torch.tensor([[-4.0, 3.0], [0.0, 0.0], [4.0, 3.0]])
    torch.testing.assert_close(described(way), torch.tensor([2.0, 2.0, 0.0, 0.0, 1.0]))


def test_clips_are_eight_bits_and_repeatable(textured: TrainingSet, clips: Shaken) -> None:
    assert clips.blurred.shape == clips.sharp.shape == (24, 3, 3, 48, 48)
    assert clips.smears.shape == (24, 3, SMEAR)
    codes = clips.blurred * 255
    torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-4)
    again = ShakeSource(textured, 48, 3).batch(24, torch.Generator().manual_seed(3))
    assert all(map(torch.equal, clips, again))


def test_clips_are_smeared_as_described(clips: Shaken) -> None:
    """Of what blur changed, a straight smear as described explains most; one across it does not."""
    length, cosine, sine, right, down = (4 * clips.smears).unbind(-1)
    left = []
    for turn in (0, math.pi / 2):
        angle = torch.atan2(sine, cosine) / 2 + turn
        end = 0.5 * length[..., None] * torch.stack((angle.cos(), angle.sin()), -1)
        middle = torch.stack((right, down), -1) / 2
        ways = middle[..., None, :] + torch.linspace(-1, 1, 25)[:, None] * end[..., None, :]
        light = smeared(clips.sharp**2.2, ways[:, :, None]).clamp(0, 1) ** (1 / 2.2)
        inside = (..., slice(12, -12), slice(12, -12))
        left.append((light - clips.blurred)[inside].square().mean())
    change = (clips.sharp - clips.blurred)[..., 12:-12, 12:-12].square().mean()
    assert left[0] < 0.2 * min(change, left[1])


def test_frames_of_a_clip_move_on(clips: Shaken) -> None:
    """They show the same thing from different places."""
    still = (clips.sharp[:, 0] - clips.sharp[:, 1]).square().mean((1, 2, 3))
    shifts = torch.fft.rfft2(clips.sharp.mean(2))
    cross = shifts[:, 0] * shifts[:, 1].conj()
    peaks = torch.fft.irfft2(cross / cross.abs().clamp(min=1e-6), s=(48, 48)).flatten(1)
    assert (still > 1e-4).float().mean() > 0.8
    assert (peaks.argmax(1) > 0).float().mean() > 0.5


def test_most_clips_tell_something(textured: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    telling = []
    for any_share in (0, 1):
        monkeypatch.setattr(shake, "_ANY_SHARE", any_share)
        clips = ShakeSource(textured, 32, 1).batch(40, torch.Generator().manual_seed(5))
        change = (clips.blurred - clips.sharp).square().mean((1, 2, 3, 4)).sqrt() * 255
        telling.append(float(((change > 4) & (change < 30)).float().mean()))
    assert telling[0] > 0.9 > 0.7 > telling[1]
