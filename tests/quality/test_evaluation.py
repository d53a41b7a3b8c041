"""The scores of a network in training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from vsrcli.ops.resize import resize
from vsrcli.quality.clips import Clip
from vsrcli.quality.evaluation import evaluate
from vsrcli.quality.metrics import psnr_y, ssim_y
from vsrcli.quality.trials import trial


@pytest.fixture
def clip() -> Clip:
    """Nine frames of 48x68, 8-bit values."""
    blocks = torch.rand(9, 3, 12, 17).repeat_interleave(4, 2).repeat_interleave(4, 3)
    return Clip("moving", (255 * blocks).round() / 255)


def halved(truth: Tensor) -> Tensor:
    return resize(truth, (truth.shape[-2] // 2, truth.shape[-1] // 2))


def enlarged(frames: Tensor) -> Tensor:
    return resize(frames, (2 * frames.shape[-2], 2 * frames.shape[-1]))


def stored(pictures: Tensor) -> Tensor:
    """Through a file of 8 bits."""
    return (255 * pictures.clamp(0, 1)).round() / 255


def test_bicubic_gains_nothing_over_itself(clip: Clip) -> None:
    (score,) = evaluate(enlarged, [trial(clip, "upscale", halved)])
    assert score.name == "moving"
    assert score.gain == pytest.approx(0, abs=1e-9)
    assert score.ssim == pytest.approx(score.plain_ssim, abs=1e-9)
    assert 10 < score.psnr < 40


def test_frames_four_to_six_count_without_their_border() -> None:
    dark = Clip("dark", (100 * torch.rand(9, 3, 48, 68)).round() / 255)
    asked: list[int] = []

    def off_by_more_and_more(given: Tensor) -> Iterator[Tensor]:
        assert torch.equal(given, halved(dark.frames))
        for index, truth in enumerate(dark.frames):
            asked.append(index)
            wrong = torch.zeros_like(truth)
            wrong[:, 8:-8, 8:-8] = truth[:, 8:-8, 8:-8] + index / 255
            yield wrong

    (score,) = evaluate(off_by_more_and_more, [trial(dark, "upscale", halved)], border=8)
    # A grey level is 219/255 code values of luma.
    expected = np.mean([20 * np.log10(255 / (219 / 255 * index)) for index in (3, 4, 5)])
    assert score.psnr == pytest.approx(expected, abs=1e-4)
    assert asked == [0, 1, 2, 3, 4, 5]


def test_new_frames_are_scored_apart_beside_a_blend(clip: Clip) -> None:
    def repeated(given: Tensor) -> Iterator[Tensor]:
        """The given frames, and between them the one before."""
        assert torch.equal(given, halved(clip.frames)[::2])
        for frame in enlarged(given):
            yield frame
            yield frame

    new, given = evaluate(repeated, [trial(clip, "space-time", halved)], border=8)
    assert (new.name, given.name) == ("moving new", "moving given")
    assert given.gain == pytest.approx(0, abs=1e-9)
    small = halved(clip.frames)
    for field, metric in {"psnr": psnr_y, "ssim": ssim_y}.items():
        held = [metric(stored(enlarged(small[i - 1])), clip.frames[i], 8) for i in (3, 5)]
        assert getattr(new, field) == pytest.approx(float(sum(held)) / 2, abs=1e-9)
        blends = [stored((enlarged(small[i - 1]) + enlarged(small[i + 1])) / 2) for i in (3, 5)]
        plain = [metric(x, clip.frames[i], 8) for x, i in zip(blends, (3, 5), strict=True)]
        assert getattr(new, f"plain_{field}") == pytest.approx(float(sum(plain)) / 2, abs=1e-6)


def test_deblurring_is_scored_on_all_frames_beside_the_input(clip: Clip) -> None:
    blurred = clip.frames.roll(1, 0)
    pair = trial(Clip("shake", clip.frames, blurred), "deblur", halved)
    (score,) = evaluate(lambda frames: frames, [pair], border=8)
    assert score.psnr == pytest.approx(float(psnr_y(blurred, clip.frames, 8).mean()), abs=1e-6)
    assert score.gain == 0
    (score,) = evaluate(lambda frames: clip.frames, [pair], border=8)
    assert score.gain == np.inf
