"""Scoring a network on clips that are read from files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.ops.resize import resize
from vsrcli.quality.evaluation import Clip, evaluate, read_clips, read_pairs, trial
from vsrcli.quality.metrics import psnr_y, ssim_y


def write_clip(
    path: Path, frames: int, width: int = 70, height: int = 50, seed: int = 7
) -> np.ndarray:
    """A lossless clip of moving noise blocks; returns its frames (N, H, W, 3)."""
    random = np.random.default_rng(seed)
    picture = np.kron(random.integers(0, 256, (20, 26, 3)), np.ones((5, 5, 1))).astype(np.uint8)
    pixels = np.stack([picture[i : i + height, i : i + width] for i in range(frames)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for picture in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return pixels


def halved(truth: Tensor) -> Tensor:
    return resize(truth, (truth.shape[-2] // 2, truth.shape[-1] // 2))


def test_clips_hold_the_decoded_pixels(tmp_path: Path) -> None:
    pixels = write_clip(tmp_path / "moving.mkv", 5)
    (clip,) = read_clips([tmp_path / "moving.mkv"], scale=4, frames=4)
    assert clip.name == "moving"
    assert clip.frames.shape == (4, 3, 48, 68)
    expected = torch.from_numpy(pixels[:4, :48, :68]).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(clip.frames, expected)


def test_short_or_missing_clips_are_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mkv", 3)
    with pytest.raises(InputError, match="has 3 frames, validation needs 9"):
        read_clips([tmp_path / "short.mkv"], scale=4)
    with pytest.raises(InputError, match="absent.mkv"):
        read_clips([tmp_path / "absent.mkv"], scale=4)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Nine frames of 48x68."""
    write_clip(tmp_path / "moving.mkv", 9)
    return read_clips([tmp_path / "moving.mkv"], scale=4)[0]


def enlarged(frames: Tensor) -> Tensor:
    return resize(frames, (2 * frames.shape[-2], 2 * frames.shape[-1]))


def test_bicubic_gains_nothing_over_itself(clip: Clip) -> None:
    (score,) = evaluate(enlarged, [trial(clip, "upscale", halved)])
    assert score.name == "moving"
    assert score.gain == pytest.approx(0, abs=1e-9)
    assert score.ssim == pytest.approx(score.plain_ssim, abs=1e-9)
    assert 10 < score.psnr < 40


def test_frames_four_to_six_count_without_their_border(clip: Clip) -> None:
    dark = Clip("dark", 0.5 * clip.frames)
    asked: list[int] = []

    def off_by_more_and_more(given: Tensor) -> Iterator[Tensor]:
        assert torch.equal(given, halved(dark.frames))
        for index, truth in enumerate(dark.frames):
            asked.append(index)
            wrong = torch.zeros_like(truth)
            wrong[:, 8:-8, 8:-8] = truth[:, 8:-8, 8:-8] + 0.01 * index
            yield wrong

    (score,) = evaluate(off_by_more_and_more, [trial(dark, "upscale", halved)], border=8)
    # 0.01 is 2.19 code values of luma.
    expected = np.mean([20 * np.log10(255 / (2.19 * index)) for index in (3, 4, 5)])
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
    expected = {"psnr": psnr_y, "ssim": ssim_y}
    for field, metric in expected.items():
        held = [metric(enlarged(small[i - 1]), clip.frames[i], 8) for i in (3, 5)]
        assert getattr(new, field) == pytest.approx(float(sum(held)) / 2, abs=1e-9)
        blends = [(enlarged(small[i - 1]) + enlarged(small[i + 1])) / 2 for i in (3, 5)]
        plain = [metric(x, clip.frames[i], 8) for x, i in zip(blends, (3, 5), strict=True)]
        assert getattr(new, f"plain_{field}") == pytest.approx(float(sum(plain)) / 2, abs=1e-6)


def test_deblurring_is_scored_on_all_frames_of_a_pair(tmp_path: Path) -> None:
    blurred = write_clip(tmp_path / "shake_blur.mkv", 4, seed=1)
    sharp = write_clip(tmp_path / "shake_sharp.mkv", 4, seed=2)
    (clip,) = read_pairs([tmp_path / "shake_blur.mkv"])
    assert clip.name == "shake"
    given, truth = (torch.from_numpy(x).permute(0, 3, 1, 2) / 255 for x in (blurred, sharp))
    (score,) = evaluate(lambda frames: frames, [trial(clip, "deblur", halved)], border=8)
    expected = float(psnr_y(given, truth, 8).mean())
    assert score.psnr == pytest.approx(expected, abs=1e-6)
    assert score.plain_psnr == pytest.approx(expected, abs=1e-6)
    (score,) = evaluate(lambda frames: truth, [trial(clip, "deblur", halved)], border=8)
    assert score.gain == np.inf


def test_pairs_that_are_none_are_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "a_blur.mkv", 3)
    with pytest.raises(InputError, match="a_sharp.mkv"):
        read_pairs([tmp_path / "a_blur.mkv"])
    write_clip(tmp_path / "a_sharp.mkv", 2)
    with pytest.raises(InputError, match="differ: 3 frames of 70x50 and 2 frames of 70x50"):
        read_pairs([tmp_path / "a_blur.mkv"])
    with pytest.raises(InputError, match="name the blurred file, x_blur.mkv"):
        read_pairs([tmp_path / "a_sharp.mkv"])
