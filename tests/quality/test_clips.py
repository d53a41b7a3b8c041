"""Ground truth in files and folders."""

from __future__ import annotations

from pathlib import Path

import clips
import numpy as np
import pytest
import torch
from truth import write_clip, write_image, write_images

from vsrcli.errors import InputError
from vsrcli.quality import clips as quality_clips
from vsrcli.quality.clips import ClipFiles, find_clips, read_clip, read_clips, read_pairs


def test_clips_hold_the_decoded_pixels(tmp_path: Path) -> None:
    frames = write_clip(tmp_path / "moving.mkv", 5)
    (clip,) = read_clips([tmp_path / "moving.mkv"], scale=4, frames=4)
    assert clip.name == "moving"
    assert clip.frames.shape == (4, 3, 48, 68)
    torch.testing.assert_close(clip.frames, frames[:4, :, :48, :68])


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_colors_are_those_of_the_file(tmp_path: Path, matrix: str) -> None:
    """An orange, through the matrix that the file is tagged with."""
    converted = f"scale=out_color_matrix={matrix}:out_range=limited,format=yuv444p"
    path = clips.clip(
        tmp_path / "flat.mkv", frames=1, codec="ffv1", pix_fmt="yuv444p",
        video_filter=f"format=gbrp,geq=r=224:g=128:b=32,{converted},setparams=colorspace={matrix}",
    )  # fmt: skip
    picture = read_clip(ClipFiles(path), 1).frames[0]
    expected = torch.tensor([224, 128, 32]) / 255
    assert (picture - expected[:, None, None]).abs().max() < 1.5 / 255


def test_short_or_missing_clips_are_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mkv", 3)
    with pytest.raises(InputError, match="has 3 frames, validation needs 9"):
        read_clips([tmp_path / "short.mkv"], scale=4)
    with pytest.raises(InputError, match="absent.mkv"):
        read_clips([tmp_path / "absent.mkv"], scale=4)


def test_broken_clips_are_refused(tmp_path: Path) -> None:
    whole = clips.clip(tmp_path / "whole.mkv", codec="png", pix_fmt="rgb24")
    with pytest.raises(InputError, match="is damaged, packets lost: 1;"):
        read_clip(ClipFiles(clips.smashed(whole, tmp_path / "broken.mkv")), 4)


def test_clips_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "long.mkv", 9)
    monkeypatch.setattr(quality_clips, "_MOST_BYTES", 5 * 4 * 3 * 48 * 68)
    with pytest.raises(InputError, match="score the first --frames 5"):
        read_clip(ClipFiles(tmp_path / "long.mkv"), 4)
    assert len(read_clip(ClipFiles(tmp_path / "long.mkv"), 4, 5).frames) == 5


def test_tiny_clips_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "dot.png", np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(InputError, match="smaller than 4 pixels"):
        read_clip(ClipFiles(tmp_path / "dot.png"), 4)


def test_pairs_are_read_together(tmp_path: Path) -> None:
    blurred = write_clip(tmp_path / "shake_blur.mkv", 4, seed=1)
    sharp = write_clip(tmp_path / "shake_sharp.mkv", 4, seed=2)
    (clip,) = read_pairs([tmp_path / "shake_blur.mkv"])
    assert clip.name == "shake"
    torch.testing.assert_close(clip.frames, sharp)
    assert clip.blurred is not None
    torch.testing.assert_close(clip.blurred, blurred)


def test_pairs_that_are_none_are_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "a_blur.mkv", 3)
    with pytest.raises(InputError, match="needs pairs, x_blur.mkv and x_sharp.mkv beside"):
        read_pairs([tmp_path / "a_blur.mkv"])
    write_clip(tmp_path / "a_sharp.mkv", 2)
    with pytest.raises(InputError, match="differ: 3 frames of 70x50 and 2 frames of 70x50"):
        read_pairs([tmp_path / "a_blur.mkv"])


def test_a_folder_of_clips(tmp_path: Path) -> None:
    for name in ("b10.mkv", "b9.MKV", "read.me", ".hidden.mkv"):
        (tmp_path / name).touch()
    frames = write_images(tmp_path / "a", 2)
    (tmp_path / "empty").mkdir()
    found = find_clips([tmp_path])
    assert [clip.name for clip in found] == ["a", "b9", "b10"]
    torch.testing.assert_close(read_clip(found[0], 4).frames, frames)


def test_a_folder_of_images_is_a_clip(tmp_path: Path) -> None:
    write_images(tmp_path / "scene.1", 2)
    (clip,) = find_clips([tmp_path / "scene.1"])
    assert clip == ClipFiles(tmp_path / "scene.1")
    assert clip.name == "scene.1"


def test_pairs_are_found_however_they_are_named(tmp_path: Path) -> None:
    for name in ("v_blur.mkv", "v_sharp.mkv", "i_blur.png", "i_sharp.png", "other.png", "w.mkv"):
        (tmp_path / name).touch()
    pair = ClipFiles(tmp_path / "v_sharp.mkv", tmp_path / "v_blur.mkv")
    found = find_clips([tmp_path], pairs=True)
    assert [clip.name for clip in found] == ["i", "v", "w"]
    assert found[1] == pair
    for name in ("v_blur.mkv", "v_sharp.mkv"):
        assert find_clips([tmp_path / name], pairs=True) == [pair]
    assert find_clips([tmp_path / "v_sharp.mkv"]) == [ClipFiles(tmp_path / "v_sharp.mkv")]


def test_places_without_clips_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match="holds neither videos nor"):
        find_clips([tmp_path])
    with pytest.raises(InputError, match="no such file or folder"):
        find_clips([tmp_path / "absent"])


def test_clips_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").touch()
    (tmp_path / "a.mp4").touch()
    with pytest.raises(InputError, match="Two clips are called a;"):
        find_clips([tmp_path])
    # The same one twice is one.
    assert len(find_clips([tmp_path / "a.mkv", tmp_path / "a.mkv"])) == 1
