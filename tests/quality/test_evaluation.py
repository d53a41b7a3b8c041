"""Scoring a network on clips that are read from files."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.ops.resize import resize
from vsrcli.quality.evaluation import Clip, evaluate, read_clips


def write_clip(path: Path, frames: int, width: int = 70, height: int = 50) -> np.ndarray:
    """A lossless clip of moving noise blocks; returns its frames (N, H, W, 3)."""
    random = np.random.default_rng(7)
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


def test_bicubic_gains_nothing_and_the_truth_everything(tmp_path: Path) -> None:
    write_clip(tmp_path / "moving.mkv", 5)
    clips = read_clips([tmp_path / "moving.mkv"], scale=2, frames=5)

    def bicubic(window: Tensor) -> Tensor:
        return resize(window[:, 1:2], (50, 70))

    (score,) = evaluate(bicubic, clips, halved, radius=1)
    assert score.gain == pytest.approx(0, abs=1e-9)
    assert score.ssim == pytest.approx(score.bicubic_ssim, abs=1e-9)
    assert 10 < score.psnr < 40


def test_windows_lie_inside_and_scores_are_means() -> None:
    generator = torch.Generator().manual_seed(0)
    clip = Clip("noise", torch.rand(5, 3, 40, 40, generator=generator))
    centers: list[float] = []

    def off_by_a_tenth(window: Tensor) -> Tensor:
        middle = window[0, 1, 0, 0, 0]
        (index,) = (i for i in range(5) if halved(clip.frames)[i, 0, 0, 0] == middle)
        centers.append(index)
        # 0.1 is 21.9 code values of luma, 0.05 is half of that.
        error = 0.1 if index == 1 else 0.05
        return (clip.frames[index] * 0 + error)[None, None]

    black = Clip("black", torch.zeros(5, 3, 40, 40))
    expected = 20 * np.log10(255 / 21.9), 20 * np.log10(255 / 10.95)
    (score,) = evaluate(
        off_by_a_tenth, [black], lambda truth: halved(clip.frames), radius=1, border=8
    )
    assert centers == [1, 2, 3]
    assert score.psnr == pytest.approx((expected[0] + 2 * expected[1]) / 3, abs=1e-5)
