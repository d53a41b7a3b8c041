"""Image sequences against what ffmpeg reads of the same files."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
from ffmpeg import ffmpeg, frame_hashes, plane_hash

from vsrcli.errors import InputError, UsageError
from vsrcli.media.frame import Frame, Matrix, Range
from vsrcli.media.images import ImageSequence, is_image_source, natural_key, open_source
from vsrcli.media.reader import VideoReader


def read(source: Path, **options: object) -> tuple[list[Frame], ImageSequence]:
    with ImageSequence(source, **options) as images:  # type: ignore[arg-type]
        return list(images), images


def hashes(frames: list[Frame]) -> list[str]:
    return [plane_hash(frame.planes, frame.format.family) for frame in frames]


@pytest.mark.parametrize(
    ("suffix", "pix_fmt", "planar", "options"),
    [
        ("png", "rgb24", "gbrp", []),
        ("png", "rgb48be", "gbrp16le", []),
        ("png", "rgba", "gbrap", []),
        ("png", "gray", "gray", []),
        ("png", "gray16be", "gray16le", []),
        ("jpg", "yuvj420p", "yuvj420p", []),
        ("jpeg", "yuvj444p", "yuvj444p", []),
        ("tif", "rgb24", "gbrp", []),
        ("tiff", "rgb48le", "gbrp16le", []),
        ("webp", "yuv420p", "yuv420p", ["-c:v", "libwebp"]),
        ("webp", "bgra", "gbrap", ["-c:v", "libwebp", "-lossless", "1"]),
        ("bmp", "bgr24", "gbrp", []),
    ],
)
def test_kinds_of_images(
    tmp_path: Path, suffix: str, pix_fmt: str, planar: str, options: list[str]
) -> None:
    folder = clips.images(tmp_path / "frames", f"%03d.{suffix}", pix_fmt, 3, *options)
    expected = [frame_hashes(folder / f"{n:03d}.{suffix}", planar)[0] for n in (1, 2, 3)]
    assert len(set(expected)) == 3
    for source in (folder, folder / f"%03d.{suffix}"):
        frames, images = read(source)
        assert frames[0].format.name == planar
        assert hashes(frames) == expected
        assert [(frame.pts, frame.duration) for frame in frames] == [(0, 1), (1, 1), (2, 1)]
        assert (images.lost, images.warnings) == (0, [])


def test_what_is_said_of_a_sequence(tmp_path: Path) -> None:
    folder = clips.images(tmp_path / "frames", "%03d.png", "rgb24", 4)
    images = ImageSequence(folder, fps=Fraction(24000, 1001))
    info, video = images.info, images.info.video
    assert images.time_base == video.time_base == Fraction(1001, 24000)
    assert (info.format, info.start_time) == ("images", 0)
    assert info.duration == video.duration == 4 * Fraction(1001, 24000)
    assert info.size == sum(file.stat().st_size for file in folder.iterdir())
    assert (video.codec, video.width, video.height) == ("png", 64, 48)
    assert (video.average_rate, video.variable_rate) == (Fraction(24000, 1001), False)
    assert (video.frame_count, video.stored_format) == (4, "rgb24")
    assert (video.color.matrix, video.color.range) == (Matrix.RGB, Range.FULL)
    assert info.streams == (video,) and info.audio == ()


@pytest.mark.parametrize(
    ("suffix", "pix_fmt", "range_"),
    [("jpg", "yuvj420p", Range.FULL), ("webp", "yuv420p", Range.LIMITED)],
)
def test_pictures_are_bt601_at_any_size(
    tmp_path: Path, suffix: str, pix_fmt: str, range_: Range
) -> None:
    path = tmp_path / f"large.{suffix}"
    source = clips.source(1, size=(1920, 1080))
    ffmpeg("-f", "lavfi", "-i", source, "-frames:v", "1", "-pix_fmt", pix_fmt, path)
    with open_source(path) as images:
        color = images.info.video.color
        assert (color.matrix, color.range) == (Matrix.BT470BG, range_)


def test_single_image(tmp_path: Path) -> None:
    path = clips.images(tmp_path / "frames", "%d.png", "rgb24", 1) / "1.png"
    frames, images = read(path)
    assert hashes(frames) == frame_hashes(path, "gbrp")
    assert images.info.duration == Fraction(1, 25)


def test_exr_becomes_sixteen_bit_srgb(tmp_path: Path) -> None:
    """A ramp of linear light, whose sRGB code values follow from IEC 61966-2-1."""
    path = tmp_path / "ramp.exr"
    linear = np.linspace(-0.1, 1.3, 64, dtype=np.float32)
    plane = np.tile(linear, (48, 1))
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-s", "64x48", "-i", "-", "-c:v", "exr",
        "-format", "float", "-frames:v", "1", path, stdin=plane.tobytes() * 3,
    )  # fmt: skip
    (frame,), images = read(path)
    light = np.clip(linear.astype(np.float64), 0, 1)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert frame.format.name == "gbrp16le"
    for got in frame.planes:
        assert np.abs(got[7].astype(int) - np.rint(srgb * 65535)).max() <= 2
    assert images.info.warnings == (
        "EXR holds linear light; it is read as 16-bit sRGB, and what is brighter than 1.0 is"
        " clipped",
    )
    assert images.info.video.color.transfer == 13


def test_numeric_order(tmp_path: Path) -> None:
    made = clips.images(tmp_path / "made", "%d.png", "rgb24", 12)
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in (1, 2, 3, 10, 12):
        (made / f"{number}.png").rename(folder / f"shot2_{number}.png")
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_bytes(b"not an image either")
    expected = [frame_hashes(folder / f"shot2_{n}.png", "gbrp")[0] for n in (1, 2, 3, 10, 12)]
    assert hashes(read(folder)[0]) == expected
    assert hashes(read(folder / "shot2_%d.png")[0]) == expected
    assert hashes(read(folder / "shot2_%02d.png")[0]) == expected[3:]
    assert sorted(["b1", "a10", "a9", "a"], key=natural_key) == ["a", "a9", "a10", "b1"]


def test_cuts(tmp_path: Path) -> None:
    folder = clips.images(tmp_path / "frames", "%d.png", "rgb24", 10)
    whole, _ = read(folder, fps=Fraction(10))
    for start, end, first, past in ((0.2, 0.5, 2, 5), (0.25, 0.51, 2, 6), (0.9, 7, 9, 10)):
        frames, _ = read(folder, fps=Fraction(10), start=start, end=end)
        assert [frame.pts for frame in frames] == list(range(first, past))
        assert hashes(frames) == hashes(whole[first:past])
    with pytest.raises(InputError, match="no image from 1 s on; at 10 fps its 10 last 1 s$"):
        read(folder, fps=Fraction(10), start=1)


def test_grey_among_coloured(tmp_path: Path) -> None:
    folder = clips.images(tmp_path / "frames", "%d.png", "rgb24", 2)
    ffmpeg("-i", folder / "2.png", "-pix_fmt", "gray", folder / "3.png")
    frames, _ = read(folder)
    grey = frames[2].planes
    assert frames[2].format == frames[0].format
    assert np.array_equal(grey[0], grey[1]) and np.array_equal(grey[0], grey[2])
    assert plane_hash(grey[:1], "gray") == frame_hashes(folder / "3.png", "gray")[0]


def test_images_that_do_not_fit(tmp_path: Path) -> None:
    folder = clips.images(tmp_path / "frames", "%d.png", "rgb24", 2)
    odd = folder / "3.png"
    ffmpeg("-i", folder / "2.png", "-vf", "scale=32:24", odd)
    with pytest.raises(InputError) as caught:
        read(folder)
    assert str(caught.value) == (
        f"{odd}: is 32x24, the first image is 64x48; all must have one size"
    )
    ffmpeg("-i", folder / "2.png", "-pix_fmt", "rgb48be", odd)
    with pytest.raises(InputError) as caught:
        read(folder)
    assert str(caught.value) == (
        f"{odd}: its pixel format is rgb48be, that of the first image rgb24; save all in one format"
    )


def test_damaged_images(tmp_path: Path) -> None:
    folder = clips.images(tmp_path / "frames", "%d.png", "rgb24", 3)
    broken = folder / "2.png"
    data = bytearray(broken.read_bytes())
    data[16:24] = b"\xff" * 8  # width and height
    broken.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(folder)
    assert str(caught.value) == (
        f"{broken}: cannot be decoded; it is damaged, too large or of an unusual kind"
    )
    broken.write_text("text")
    with pytest.raises(InputError, match=r"2.png: not an image that can be read \(PNG, JPEG,"):
        read(folder)
    broken.write_bytes(b"")
    with pytest.raises(InputError, match=r"2.png: the file is empty \(0 bytes\)$"):
        read(folder)


def test_claimed_size_takes_no_memory(tmp_path: Path) -> None:
    path = clips.images(tmp_path / "frames", "%d.bmp", "bgr24", 1) / "1.bmp"
    data = bytearray(path.read_bytes())
    data[18:26] = (60000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be decoded; it is damaged, too large"):
        read(path)


def test_sources_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r": a folder without images \(\.bmp, \.exr, "):
        read(tmp_path)
    with pytest.raises(InputError, match=re.escape("%03d.png: no file matches this pattern")):
        read(tmp_path / "%03d.png")
    with pytest.raises(InputError, match="no such folder as"):
        read(tmp_path / "none" / "%03d.png")
    clips.images(tmp_path, "%d.png", "rgb24", 1)
    clips.images(tmp_path, "%d.jpg", "yuvj420p", 1)
    with pytest.raises(InputError, match=r"several kinds \(jpeg, png\); give a pattern such as "):
        read(tmp_path)
    with pytest.raises(UsageError, match="^--fps 0: must be greater than zero$"):
        read(tmp_path / "1.png", fps=Fraction(0))


def test_which_reader_a_source_gets(tmp_path: Path) -> None:
    folder = clips.images(tmp_path / "frames", "%03d.png", "rgb24", 2)
    video = clips.clip(tmp_path / "clip.mp4")
    png_in_movie = clips.clip(tmp_path / "png.mov", codec="png", pix_fmt="rgb24")
    animated = tmp_path / "animated.png"
    ffmpeg("-f", "lavfi", "-i", clips.source(3), "-f", "apng", animated)
    renamed = tmp_path / "image.mp4"
    renamed.write_bytes((folder / "001.png").read_bytes())
    for source in (folder, folder / "%03d.png", folder / "001.png", renamed):
        assert is_image_source(source)
        with open_source(source) as opened:
            assert isinstance(opened, ImageSequence)
    for source in (video, png_in_movie, animated):
        assert not is_image_source(source)
        with open_source(source) as opened:
            assert isinstance(opened, VideoReader)
            assert sum(1 for _ in opened) == (3 if source == animated else 10)
    with pytest.raises(UsageError, match=r"^--fps 30: only for images; .*clip\.mp4 has times$"):
        open_source(video, fps=Fraction(30))
    literal = tmp_path / "clip%03d.mp4"
    video.rename(literal)
    assert not is_image_source(literal)
