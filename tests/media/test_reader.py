"""Frames against a second reader: how many, when, and every sample of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
from ffmpeg import ffmpeg, frame_hashes, plane_hash, video_times

from vsrcli.errors import InputError, UsageError
from vsrcli.media.frame import Frame
from vsrcli.media.reader import VideoReader


def read(path: Path, **options: object) -> tuple[list[Frame], VideoReader]:
    with VideoReader(path, **options) as reader:  # type: ignore[arg-type]
        return list(reader), reader


def hashes(frames: Sequence[Frame]) -> list[str]:
    return [plane_hash(frame.planes, frame.format.family) for frame in frames]


def same_as_ffmpeg(path: Path, pix_fmt: str) -> list[Frame]:
    """The frames, after a check that ffmpeg sees the same ones at the same times."""
    frames, reader = read(path)
    assert frames[0].format.name == pix_fmt
    assert hashes(frames) == frame_hashes(path, pix_fmt)
    times = video_times(path)
    # ffmpeg rounds to whole ticks as well: the times are equal, not only near.
    assert [frame.seconds for frame in frames] == pytest.approx(times, abs=1e-9)
    assert (reader.lost, reader.warnings, reader.losses) == (0, [], [])
    assert all(frame.time_base == reader.time_base for frame in frames)
    for one, following in zip(frames, frames[1:], strict=False):
        assert one.pts + one.duration == following.pts
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_constant_rate(tmp_path: Path, suffix: str) -> None:
    frames = same_as_ffmpeg(clips.clip(tmp_path / f"even{suffix}"), "yuv420p")
    assert len(frames) == 10
    assert frames[-1].duration * frames[-1].time_base == Fraction(1, 10)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_b_frames(tmp_path: Path, suffix: str) -> None:
    assert len(same_as_ffmpeg(clips.b_frames(tmp_path / f"b{suffix}"), "yuv420p")) == 24


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_rate(tmp_path: Path, suffix: str) -> None:
    frames = same_as_ffmpeg(clips.variable_rate(tmp_path / f"uneven{suffix}"), "yuv420p")
    assert [frame.pts for frame in frames] == clips.uneven_times(12)
    assert frames[0].time_base == Fraction(1, 1000)


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_clock_far_from_zero(tmp_path: Path, suffix: str) -> None:
    frames = same_as_ffmpeg(clips.late_start(tmp_path / f"late{suffix}"), "yuv420p")
    assert frames[0].seconds == pytest.approx(1000 if suffix == ".mkv" else 1001.4)


def test_ten_bit(tmp_path: Path) -> None:
    frames = same_as_ffmpeg(clips.ten_bit(tmp_path / "ten.mp4"), "yuv420p10le")
    assert frames[0].planes[0].dtype == np.uint16 and frames[0].planes[0].max() > 255


def test_odd_size(tmp_path: Path) -> None:
    frames = same_as_ffmpeg(clips.odd_size(tmp_path / "odd.mkv"), "yuv420p")
    assert [plane.shape for plane in frames[0].planes] == [(47, 63), (24, 32), (24, 32)]


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "planar", "suffix"),
    [
        ("rawvideo", "yuyv422", "yuv422p", ".nut"),
        ("rawvideo", "uyvy422", "yuv422p", ".avi"),
        ("rawvideo", "nv12", "yuv420p", ".nut"),
        ("rawvideo", "rgb24", "gbrp", ".nut"),
        ("png", "rgb48be", "gbrp16le", ".mov"),
        ("qtrle", "argb", "gbrap", ".mov"),
        ("v210", "yuv422p10le", "yuv422p10le", ".mov"),
        ("ffv1", "gray", "gray", ".mkv"),
        ("ffv1", "yuva420p", "yuva420p", ".mkv"),
        ("libx264", "yuv444p", "yuv444p", ".mp4"),
    ],
)
def test_pixel_formats(tmp_path: Path, codec: str, pix_fmt: str, planar: str, suffix: str) -> None:
    path = clips.clip(tmp_path / f"c{suffix}", frames=3, codec=codec, pix_fmt=pix_fmt)
    frames = same_as_ffmpeg(path, planar)
    assert frames[0].planes[0].shape == (48, 64)


def test_full_range_is_not_squeezed(tmp_path: Path) -> None:
    same_as_ffmpeg(clips.full_range(tmp_path / "full.mp4"), "yuvj420p")


def test_rotation_is_left_to_the_caller(tmp_path: Path) -> None:
    frames = same_as_ffmpeg(clips.rotated(tmp_path / "turned.mp4", 90), "yuv420p")
    assert (frames[0].width, frames[0].height) == (64, 48)


def test_video_beside_other_streams(tmp_path: Path) -> None:
    assert len(same_as_ffmpeg(clips.everything(tmp_path / "all.mkv"), "yuv420p")) == 20
    assert len(same_as_ffmpeg(clips.with_cover(tmp_path / "cover.mp4"), "yuv420p")) == 10


def test_raw_stream_without_times(tmp_path: Path) -> None:
    path = clips.clip(tmp_path / "raw.h264", "-bf", "2", rate="25")
    frames, reader = read(path)
    assert hashes(frames) == frame_hashes(path, "yuv420p")
    assert np.diff([frame.pts for frame in frames]).tolist() == [frames[0].duration] * 9
    assert frames[0].duration * reader.time_base == Fraction(1, 25)


def test_repeated_times_are_moved_on(tmp_path: Path) -> None:
    """Matroska keeps milliseconds, and these frames are a third of one apart."""
    path = clips.clip(
        tmp_path / "fast.mkv", "-fps_mode", "passthrough", "-enc_time_base", "1/90000",
        frames=6, codec="mjpeg", pix_fmt="yuvj420p", video_filter=r"settb=1/90000,setpts=30*N",
    )  # fmt: skip
    frames, reader = read(path)
    assert [frame.pts for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert reader.warnings == ["5 frames were not later than the one before; moved just behind it"]


def test_gaps_at_an_even_rate_are_said(tmp_path: Path) -> None:
    path = clips.clip(
        tmp_path / "gap.mkv", "-fps_mode", "passthrough", frames=60,
        video_filter="select='not(between(n,20,22))'",
    )  # fmt: skip
    frames, reader = read(path)
    assert len(frames) == 57
    assert reader.losses == ["about 3 frames are missing in the file; those before stay on"]
    _, uneven = read(clips.variable_rate(tmp_path / "uneven.mkv", frames=60))
    assert uneven.losses == []


def test_size_that_changes(tmp_path: Path) -> None:
    path = clips.changing_size(tmp_path / "changes.ts")
    frames, reader = read(path)
    assert {(frame.width, frame.height) for frame in frames} == {(64, 48)}
    assert hashes(frames)[:9] == frame_hashes(path, "yuv420p", "-frames:v", "9")
    assert len(reader.warnings) == 1
    assert reader.warnings[0].endswith(
        "on the video is 96x72 yuv420p; made 64x48 yuv420p like its beginning"
    )
    scaled = ffmpeg(
        "-i", tmp_path / "large.ts", "-vf", "scale=64:48:flags=bicubic", "-f", "rawvideo", "-"
    )
    luma = np.frombuffer(scaled, np.uint8).reshape(10, -1)[-1, : 64 * 48].reshape(48, 64)
    assert np.abs(frames[-1].planes[0].astype(int) - luma).mean() < 1


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_damaged_data_of_a_lossless_stream(tmp_path: Path, at: float) -> None:
    """Each frame of FFV1 stands alone, so that all but those that were hit must be right."""
    whole = clips.clip(tmp_path / "whole.mkv", "-g", "1", codec="ffv1")
    path = clips.smashed(whole, tmp_path / "broken.mkv", at=at, length=40)
    frames, _ = read(path)
    good = frame_hashes(whole, "yuv420p")
    got = {frame.pts: value for frame, value in zip(frames, hashes(frames), strict=True)}
    assert sum(got.get(100 * n) != value for n, value in enumerate(good)) <= 2


def png_movie(path: Path, broken: Sequence[int], frames: int = 24) -> tuple[Path, list[str]]:
    """PNG frames in Matroska with the data of some destroyed; the hashes of the good ones."""
    clips.clip(path, frames=frames, codec="png", pix_fmt="rgb24")
    good = frame_hashes(path, "gbrp")
    data = bytearray(path.read_bytes())
    at = -1
    for number in range(frames):
        at = data.index(b"\x89PNG\r\n\x1a\n", at + 1)
        if number in broken:
            data[at + 16 : at + 24] = b"\xff" * 8  # width and height; chunks stay whole
    path.write_bytes(data)
    return path, good


@pytest.mark.parametrize("broken", [[3], [0], [23], [22], [5, 6, 7, 19, 22], list(range(12, 24))])
def test_frames_around_broken_ones_all_come(tmp_path: Path, broken: list[int]) -> None:
    path, good = png_movie(tmp_path / "broken.mkv", broken)
    frames, reader = read(path)
    expected = {100 * n: value for n, value in enumerate(good) if n not in broken}
    assert dict(zip([f.pts for f in frames], hashes(frames), strict=True)) == expected
    assert reader.lost == len(broken)
    lost = f"{len(broken)} packets could not be decoded; their frames are lost"
    assert reader.losses[0] == lost
    assert len(reader.losses) == (2 if broken[0] == 12 else 1)  # then it also ends too early


@pytest.mark.parametrize("at", [0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
def test_h264_with_a_smashed_middle(tmp_path: Path, at: float) -> None:
    whole = clips.b_frames(tmp_path / "whole.ts", frames=48)
    path = clips.smashed(whole, tmp_path / "broken.ts", at=at, length=150)
    frames, reader = read(path)
    pts = [frame.pts for frame in frames]
    assert pts == sorted(set(pts))
    good = dict(zip([f.pts for f in read(whole)[0]], frame_hashes(whole, "yuv420p"), strict=True))
    got = dict(zip(pts, hashes(frames), strict=True))
    right = [moment for moment, value in good.items() if got.get(moment) == value]
    assert len(right) >= 48 - 16  # a hit reaches no further than two groups of 8
    assert len(frames) == 48 or reader.losses


@pytest.mark.parametrize("suffix", [".mkv", ".nut", ".avi"])
def test_truncated_file(tmp_path: Path, suffix: str) -> None:
    pix_fmt = "yuvj420p"
    whole = clips.clip(tmp_path / f"whole{suffix}", codec="mjpeg", pix_fmt=pix_fmt, frames=20)
    path = clips.truncated(whole, tmp_path / f"cut{suffix}")
    frames, reader = read(path)
    if suffix == ".mkv":
        length = f"{frames[-1].seconds + 0.1:.3f}"
        claimed = f"the video ends after {length} s, but the file claims 2.000 s: it was cut short"
        assert claimed in reader.losses
    assert reader.losses
    reference = frame_hashes(path, pix_fmt)
    assert 8 <= len(frames) < 20
    assert abs(len(frames) - len(reference)) <= 1
    shared = min(len(frames), len(reference)) - 1  # the last one may be half a picture
    assert hashes(frames)[:shared] == frame_hashes(whole, pix_fmt)[:shared]


def test_truncated_mp4_with_its_index_in_front(tmp_path: Path) -> None:
    whole = clips.clip(tmp_path / "whole.mp4", "-movflags", "+faststart", frames=20, codec="mpeg4")
    path = clips.truncated(whole, tmp_path / "cut.mp4", keep=0.7)
    frames, reader = read(path)
    assert 5 <= len(frames) < 20
    good = frame_hashes(whole, "yuv420p")
    assert hashes(frames)[:5] == good[:5]
    assert reader.losses[-1].endswith("but the file claims 2.000 s: it was cut short")


def cut_of(frames: list[Frame], origin: Fraction, start: Fraction, end: Fraction) -> list[Frame]:
    """What a cut must hold, by definition: frames that are on screen between start and end."""
    base = frames[0].time_base
    return [
        frame
        for frame in frames
        if (frame.pts + frame.duration) * base > origin + start and frame.pts * base < origin + end
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: clips.b_frames(folder / "b.mp4", frames=40),
        lambda folder: clips.b_frames(folder / "b.mkv", frames=40),
        lambda folder: clips.b_frames(folder / "b.ts", frames=40),
        lambda folder: clips.variable_rate(folder / "v.mp4", frames=40),
        lambda folder: clips.variable_rate(folder / "v.mkv", frames=40),
        lambda folder: clips.late_start(folder / "l.ts"),
        lambda folder: clips.clip(folder / "m.avi", "-g", "6", "-bf", "2", codec="mpeg4"),
        lambda folder: clips.clip(folder / "o.mkv", "-x265-params",
            "log-level=none:open-gop=1:keyint=8:min-keyint=8", frames=40, codec="libx265"),
        lambda folder: clips.clip(folder / "raw.h264", "-g", "8", rate="25"),
    ],
    ids=["b.mp4", "b.mkv", "b.ts", "v.mp4", "v.mkv", "late.ts", "asp.avi", "open.mkv", "raw.h264"],
)  # fmt: skip
def test_cuts_are_exact(tmp_path: Path, make: object) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    whole, reader = read(path)
    length = (whole[-1].pts + whole[-1].duration - whole[0].pts) * whole[0].time_base
    for tenths in ((0, 10), (3, 7), (5, 6), (8, 10), (9, 20)):
        start, end = (length * Fraction(part, 10) for part in tenths)
        expected = cut_of(whole, reader.info.start_time, start, end)
        frames, _ = read(path, start=start, end=end)
        assert [frame.pts for frame in frames] == [frame.pts for frame in expected]
        assert hashes(frames) == hashes(expected)


def test_cut_on_the_edges_of_a_frame(tmp_path: Path) -> None:
    path = clips.b_frames(tmp_path / "b.ts")
    whole, _ = read(path)
    frames, _ = read(path, start=0.5, end=0.8)
    assert [frame.pts for frame in frames] == [frame.pts for frame in whole[5:8]]
    frames, _ = read(path, start=0.55, end=Fraction(81, 100))
    assert [frame.pts for frame in frames] == [frame.pts for frame in whole[5:9]]
    assert frames[-1].duration * frames[-1].time_base == pytest.approx(Fraction(1, 100))


def test_cut_counts_from_the_beginning_of_the_file(tmp_path: Path) -> None:
    """The sound begins at 0, the picture at 0.5 s: `--start 1` is 0.5 s into the picture."""
    ffmpeg(
        "-itsoffset", "0.5", "-f", "lavfi", "-i", clips.source(20), "-f", "lavfi",
        "-i", "sine=duration=2", "-c:v", "mpeg4", "-c:a", "pcm_s16le", tmp_path / "late.mkv",
    )  # fmt: skip
    frames, _ = read(tmp_path / "late.mkv", start=1, end=1.2)
    assert [frame.pts for frame in frames] == [1000, 1100]


def test_cuts_that_make_no_sense(tmp_path: Path) -> None:
    path = clips.clip(tmp_path / "even.mp4")
    with pytest.raises(UsageError, match="^--start -1: must not be negative$"):
        VideoReader(path, start=-1)
    with pytest.raises(UsageError, match=r"^--end 0.5: must be later than the start$"):
        VideoReader(path, start=0.5, end=0.5)
    with pytest.raises(InputError) as caught:
        read(path, start=7)
    assert str(caught.value) == f"{path}: no frame from 7 s; it lasts 1.000 s"


def test_planes_outlive_the_reader(tmp_path: Path) -> None:
    path = clips.clip(tmp_path / "even.mp4", frames=60)
    frames, _ = read(path)
    assert hashes(frames) == frame_hashes(path, "yuv420p")


NOISE = """
import sys
from vsrcli.media.reader import VideoReader
for path in sys.argv[1:]:
    with VideoReader(path) as reader:
        print(sum(1 for frame in reader), reader.lost)
"""


def test_ffmpeg_prints_nothing(tmp_path: Path) -> None:
    h264 = clips.smashed(clips.b_frames(tmp_path / "a.mkv"), tmp_path / "b.mkv", length=100)
    png, _ = png_movie(tmp_path / "c.mkv", [4, 22])
    cut = clips.truncated(
        clips.clip(tmp_path / "d.avi", codec="mjpeg", pix_fmt="yuvj420p"), tmp_path / "e.avi", 0.8
    )
    done = subprocess.run(
        [sys.executable, "-c", NOISE, h264, png, cut], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[1] == "22 2"
