"""ICC profiles of images, written by hand and read by the second reader."""

from __future__ import annotations

import struct
from pathlib import Path

import clips
import pytest
from ffmpeg import ffmpeg

from vsrcli.media.icc import profile_in, with_profile
from vsrcli.media.picture import read_picture

PROFILE = bytes(12) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(200)


def image(path: Path, codec: str, pix_fmt: str) -> bytes:
    return clips.clip(path, "-frames:v", "1", codec=codec, pix_fmt=pix_fmt, frames=1).read_bytes()


def jpeg_with(data: bytes, profile: bytes, part: int) -> bytes:
    """The profile in parts of so many bytes, the last one first."""
    parts = [profile[at : at + part] for at in range(0, len(profile), part)]
    marks = [
        struct.pack(">HH", 0xFFE2, 16 + len(body))
        + b"ICC_PROFILE\0"
        + bytes((number, len(parts)))
        + body
        for number, body in enumerate(parts, 1)
    ]
    return data[:2] + b"".join(reversed(marks)) + data[2:]


def webp_with(data: bytes, profile: bytes) -> bytes:
    chunk = b"ICCP" + struct.pack("<I", len(profile)) + profile
    return data[:12] + chunk + data[12:]


def test_png_there_and_back(tmp_path: Path) -> None:
    plain = image(tmp_path / "in.png", "png", "rgb24")
    path = tmp_path / "out.png"
    path.write_bytes(with_profile(plain, PROFILE))
    assert profile_in(plain, "png") == b""
    assert profile_in(path.read_bytes(), "png") == PROFILE
    assert read_picture(path).icc_profile == PROFILE
    raw = [ffmpeg("-i", file, "-f", "rawvideo", "-") for file in (tmp_path / "in.png", path)]
    assert raw[0] == raw[1]


def test_jpeg_in_parts(tmp_path: Path) -> None:
    data = image(tmp_path / "in.jpg", "mjpeg", "yuvj420p")
    assert profile_in(data, "mjpeg") == b""
    assert profile_in(jpeg_with(data, PROFILE, 50), "mjpeg") == PROFILE


def test_webp(tmp_path: Path) -> None:
    data = image(tmp_path / "in.webp", "libwebp", "bgra")
    assert profile_in(data, "webp") == b""
    assert profile_in(webp_with(data, PROFILE), "webp") == PROFILE


def test_profiles_of_other_pictures_are_none() -> None:
    """A grey one would be wrong for the RGB that is written."""
    grey = PROFILE.replace(b"RGB ", b"GRAY")
    assert profile_in(webp_with(b"RIFF\0\0\0\0WEBP", grey), "webp") == b""


@pytest.mark.parametrize("codec", ["png", "mjpeg", "webp", "tiff"])
def test_damaged_files_have_none(codec: str) -> None:
    for length in (0, 3, 12, 20, 40):
        assert profile_in(bytes(length), codec) == b""
        assert profile_in(b"\xff" * length, codec) == b""


def test_a_profile_that_would_grow_is_cut(tmp_path: Path) -> None:
    bomb = with_profile(image(tmp_path / "in.png", "png", "rgb24"), PROFILE + bytes(40 << 20))
    assert len(profile_in(bomb, "png")) <= 16 << 20
