"""Hard files: cut short, overwritten, lying about themselves."""

from __future__ import annotations

import random
import resource
import struct
import zlib
from pathlib import Path
from typing import Any

import clips
import pytest
from case import Case, Kept, Refused
from harness import enlarge, run
from making import film, movie, patched
from reading import look

from vsrcli.errors import VsrError

TEN = [0.1 * n for n in range(10)]


def cut_short(folder: Path, name: str, *options: str, keep: float = 0.6, **more: Any) -> Path:
    whole = movie(folder / f"whole-{name}", *options, frames=40, **more)
    return clips.truncated(whole, folder / name, keep)


def overwritten(path: Path, whole: Path, zeros: bool, length: int = 300) -> Path:
    """A copy with nothing or noise in the middle."""
    if not zeros:
        return clips.smashed(whole, path, 0.5, length)
    data = bytearray(whole.read_bytes())
    start = len(data) // 2
    data[start : start + length] = bytes(length)
    path.write_bytes(data)
    return path


def smashed(folder: Path, name: str, zeros: bool = False, length: int = 300, **more: Any) -> Path:
    whole = movie(folder / f"whole-{name}", "-g", "8", frames=40, **more)
    return overwritten(folder / name, whole, zeros, length)


def longer(folder: Path, name: str, zeros: bool = False) -> Path:
    """Ten seconds without sound, so that what is damaged is a picture."""
    return overwritten(folder / name, film(folder / f"whole-{name}", "-g", "8", frames=100), zeros)


def cut_in_fragment_header(folder: Path) -> Path:
    """A download that ended within the index of the last fragment, which FFmpeg opens only if it
    cannot look ahead."""
    options = ("-g", "5", "-movflags", "frag_keyframe+empty_moov")
    data = movie(folder / "whole.mp4", *options).read_bytes()
    path = folder / "in.mp4"
    path.write_bytes(data[: data.rindex(b"trun") + 40])
    return path


def giant_png(folder: Path) -> Path:
    """A few bytes that claim a picture of four thousand million pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 65000, 65000, 8, 6, 0, 0, 0)
    path = folder / "in.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(9)))
        + chunk(b"IEND", b"")
    )
    return path


def giant_y4m(folder: Path) -> Path:
    path = folder / "in.y4m"
    path.write_bytes(b"YUV4MPEG2 W1000000 H1000000 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(1000))
    return path


def giant_avi(folder: Path) -> Path:
    plain = film(folder / "plain.avi", codec="rawvideo", frames=2)
    size = struct.pack("<II", 64, 48)
    return patched(folder / "in.avi", plain, size, struct.pack("<II", 60000, 60000), 9)


def giant_table(folder: Path) -> Path:
    """An MP4 whose table of packet sizes claims thousands of millions of them."""
    plain = movie(folder / "plain.mp4")
    data = bytearray(plain.read_bytes())
    at = data.index(b"stsz") + 12
    data[at : at + 4] = b"\xff\xff\xff\xf0"
    (folder / "in.mp4").write_bytes(data)
    return folder / "in.mp4"


def fuzzed(folder: Path, name: str) -> Path:
    """A file with twenty wrong bytes in its first five hundred."""
    data = bytearray(movie(folder / f"whole-{name}").read_bytes())
    chance = random.Random(name)
    for _ in range(20):
        data[chance.randrange(500)] = chance.randrange(256)
    (folder / name).write_bytes(data)
    return folder / name


def holding(folder: Path, data: bytes) -> Path:
    (folder / "in.mp4").write_bytes(data)
    return folder / "in.mp4"


CASES = [
    Case("cut-mkv", lambda f: cut_short(f, "in.mkv"), Kept(lost=True)),
    Case(
        "cut-ts", lambda f: cut_short(f, "in.ts", video="mpeg2video", audio="mp2"), Kept(lost=True)
    ),
    Case(
        "cut-avi",
        lambda f: cut_short(f, "in.avi", video="mpeg4", audio="libmp3lame"),
        Kept(lost=True),
    ),
    Case("cut-flv", lambda f: cut_short(f, "in.flv"), Kept(lost=True)),
    Case(
        "cut-fragmented",
        lambda f: cut_short(f, "in.mp4", "-g", "5", "-movflags", "frag_keyframe+empty_moov"),
        Kept(lost=True),
    ),
    Case(
        "cut-faststart", lambda f: cut_short(f, "in.mp4", "-movflags", "faststart"), Kept(lost=True)
    ),
    Case(
        "cut-in-fragment-header",
        cut_in_fragment_header,
        Kept(lost=True, opening=("-seekable", "0")),
    ),
    Case("cut-no-moov", lambda f: cut_short(f, "in.mp4"), Refused("moov")),
    Case("zeros-mp4", lambda f: longer(f, "in.mp4", zeros=True), Kept(lost=True)),
    Case("noise-mp4", lambda f: longer(f, "in.mp4"), Kept(lost=True)),
    Case("zeros-mkv", lambda f: longer(f, "in.mkv", zeros=True), Kept(lost=True)),
    Case("noise-mkv", lambda f: longer(f, "in.mkv"), Kept(lost=True)),
    Case(
        "noise-mkv-mjpeg",
        lambda f: smashed(f, "in.mkv", video="mjpeg", pix_fmt="yuvj420p"),
        Kept(lost=True),
    ),
    Case(
        "noise-ts",
        lambda f: smashed(f, "in.ts", video="mpeg2video", audio="mp2"),
        Kept(lost=True),
    ),
    Case(
        "noise-avi",
        lambda f: smashed(f, "in.avi", video="mpeg4", audio="libmp3lame"),
        Kept(lost=True),
    ),
    Case(
        "zeros-ts",
        lambda f: smashed(f, "in.ts", length=2000, zeros=True, video="mpeg2video", audio="mp2"),
        Kept(lost=True),
    ),
    Case("giant-png", giant_png, Refused("too large"), target="out.png"),
    Case("giant-y4m", giant_y4m, Refused("damaged")),
    Case("giant-avi", giant_avi, Refused("megapixels")),
    Case("giant-table", giant_table, Refused("damaged")),
    Case("empty", lambda f: holding(f, b""), Refused("empty")),
    Case(
        "noise-only",
        lambda f: holding(f, random.Random(1).randbytes(5000)),
        Refused("not a media file"),
    ),
]


MOST_MEMORY = 256 << 10
"""KiB that reading a small file may add at most to what this process has used so far."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_damage(case: Case, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert run(case, tmp_path) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.avi", "in.ts", "in.flv", "in.wmv"])
def test_wrong_bytes_in_the_header(name: str, tmp_path: Path) -> None:
    """One line, or a file with as many frames as are told; which of them is libav's business."""
    target = tmp_path / "out.mkv"
    source = fuzzed(tmp_path, name)
    said = enlarge(Case(name, lambda folder: source), source, target)
    if isinstance(said, VsrError):
        assert "\n" not in str(said) and not target.exists()
    else:
        assert said.frames == len(look(target).times)
