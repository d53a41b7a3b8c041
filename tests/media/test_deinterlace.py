"""Deinterlacing against ffmpeg's own bwdif, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
from ffmpeg import ffmpeg, frame_hashes, plane_hash

from vsrcli.media.deinterlace import Deinterlace
from vsrcli.media.frame import Frame
from vsrcli.media.reader import VideoReader

BWDIF = "bwdif=mode=send_frame:parity=auto:deint="


def read(path: Path, mode: Deinterlace, **cut: Fraction) -> list[Frame]:
    with VideoReader(path, deinterlace=mode, **cut) as reader:  # type: ignore[arg-type]
        frames = list(reader)
    assert (reader.lost, reader.warnings) == (0, [])
    return frames


def hashes(frames: Sequence[Frame]) -> list[str]:
    return [plane_hash(frame.planes, frame.format.family) for frame in frames]


EDGE = 6
"""Lines at the top and bottom where FFmpeg 8 and 9 disagree, in a few frames."""


def assert_like_ffmpeg(frames: Sequence[Frame], path: Path, pix_fmt: str, chain: str) -> None:
    """Sample for sample, apart from the edges."""
    raw = ffmpeg(
        "-i", path, "-vf", chain, "-fps_mode", "passthrough", "-f", "rawvideo",
        "-pix_fmt", pix_fmt, "-",
    )  # fmt: skip
    samples = np.frombuffer(raw, frames[0].planes[0].dtype)
    for frame in frames:
        planes = frame.planes
        for plane in (planes[1], planes[2], planes[0]) if pix_fmt == "gbrp" else planes:
            expected, samples = samples[: plane.size].reshape(plane.shape), samples[plane.size :]
            assert np.array_equal(plane[EDGE:-EDGE], expected[EDGE:-EDGE])
    assert not samples.size


def combing(frame: Frame) -> float:
    """How much more a line differs from its neighbours than from the lines next to those."""
    luma = frame.planes[0].astype(float)
    near = np.abs(luma[2:-2] - luma[1:-3]) + np.abs(luma[2:-2] - luma[3:-1])
    far = np.abs(luma[2:-2] - luma[:-4]) + np.abs(luma[2:-2] - luma[4:])
    return float(near.mean() - far.mean())


@pytest.mark.parametrize("first", ["top", "bottom"])
@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".mp4"), ("mpeg2video", ".ts")])
def test_flagged_frames(tmp_path: Path, codec: str, suffix: str, first: str) -> None:
    path = clips.interlaced(tmp_path / f"woven{suffix}", codec, first=first)
    stored, whole = read(path, "off"), read(path, "auto")
    assert hashes(stored) == frame_hashes(path, "yuv420p")
    assert_like_ffmpeg(whole, path, "yuv420p", BWDIF + "interlaced")
    assert [frame.pts for frame in whole] == [frame.pts for frame in stored]
    assert [frame.duration for frame in whole] == [frame.duration for frame in stored]
    assert [frame.time_base for frame in whole] == [frame.time_base for frame in stored]


def test_combing_is_gone(tmp_path: Path) -> None:
    """A bar that moves a quarter of its width between fields leaves a comb, then none."""
    path = tmp_path / "bar.mkv"
    clips.clip(
        path, "-flags", "+ildct+ilme", frames=20, rate="50", codec="ffv1",
        video_filter="geq=lum='255*between(mod(X-4*N,64),0,16)':cb=128:cr=128,"
        "tinterlace=interleave_top,setfield=tff",
    )  # fmt: skip
    stored, whole = read(path, "off"), read(path, "on")
    assert np.mean([combing(frame) for frame in stored]) > 10
    assert np.mean([combing(frame) for frame in whole]) < 1


def test_progressive_frames_stay(tmp_path: Path) -> None:
    path = clips.clip(tmp_path / "plain.mp4")
    assert hashes(read(path, "auto")) == frame_hashes(path, "yuv420p")


def test_every_frame_on_request(tmp_path: Path) -> None:
    path = clips.clip(tmp_path / "plain.mp4")
    frames = read(path, "on")
    assert_like_ffmpeg(frames, path, "yuv420p", BWDIF + "all")
    assert hashes(frames) != frame_hashes(path, "yuv420p")


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "planar"),
    [
        ("rawvideo", "uyvy422", "yuv422p"),
        ("ffv1", "yuv422p10le", "yuv422p10le"),
        ("ffv1", "gray", "gray"),
        ("rawvideo", "rgb24", "gbrp"),
    ],
)
def test_pixel_formats(tmp_path: Path, codec: str, pix_fmt: str, planar: str) -> None:
    path = clips.clip(tmp_path / "woven.nut", codec=codec, pix_fmt=pix_fmt, frames=5)
    frames = read(path, "on")
    assert frames[0].format.name == planar
    assert_like_ffmpeg(frames, path, planar, f"format={planar},{BWDIF}all")


def test_single_frame(tmp_path: Path) -> None:
    path = clips.interlaced(tmp_path / "one.mp4", frames=1)
    assert len(read(path, "auto")) == 1


def test_uneven_times_stay(tmp_path: Path) -> None:
    path = clips.variable_rate(tmp_path / "uneven.mkv")
    frames = read(path, "on")
    assert [frame.pts for frame in frames] == clips.uneven_times(12)


def test_mixed_material(tmp_path: Path) -> None:
    """Progressive, then interlaced: the first part is untouched, the second as if alone."""
    plain = clips.clip(tmp_path / "a.ts", codec="mpeg2video", rate="25")
    woven = clips.interlaced(tmp_path / "b.ts", "mpeg2video")
    stored = hashes(read(plain, "off"))
    mixed = clips.concatenated(tmp_path / "mixed.ts", [plain, woven])
    with VideoReader(mixed) as reader:
        got = hashes(list(reader))
    assert got[:9] == stored[:9]  # the frame at the joint is lost in the file itself
    assert got[-9:] == frame_hashes(woven, "yuv420p", "-vf", BWDIF + "interlaced")[1:]


def test_a_cut_gives_the_frames_of_the_whole(tmp_path: Path) -> None:
    path = clips.interlaced(tmp_path / "woven.mp4", frames=30)
    whole = read(path, "auto")
    for first, past in ((0, 4), (11, 15), (24, 30)):
        part = read(path, "auto", start=Fraction(first, 25), end=Fraction(past, 25))
        assert [frame.pts for frame in part] == [frame.pts for frame in whole[first:past]]
        assert hashes(part) == hashes(whole[first:past])
