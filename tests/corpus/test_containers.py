"""Hard files: containers, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from case import DEFAULT, WEBM, Case, Kept
from ffmpeg import ffmpeg
from harness import run
from making import film, movie, packed

TEN = [0.1 * n for n in range(10)]


def broken_start(path: Path) -> Path:
    """A broadcast that was tuned in to within a packet, between two key pictures."""
    whole = movie(path.with_name("whole.ts"), "-g", "5", video="mpeg2video", audio="mp2")
    data = whole.read_bytes()
    path.write_bytes(data[len(data) // 5 + 77 :])
    return path


def packets_lost(path: Path) -> Path:
    """A broadcast of which a few packets of 188 bytes did not arrive."""
    whole = movie(path.with_name("whole.ts"), "-g", "5", video="mpeg2video", audio="mp2")
    data = whole.read_bytes()
    middle = len(data) // 188 // 2 * 188
    path.write_bytes(data[:middle] + data[middle + 188 * 3 :])
    return path


def digital_tape(folder: Path) -> Path:
    """DV, which has one size and two fields a frame."""
    path = folder / "in.dv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=720x576:r=25:d=0.12", "-vf", "gblur=sigma=2",
        "-c:v", "dvvideo", "-pix_fmt", "yuv420p", path,
    )  # fmt: skip
    return path


CASES = [
    Case("mp4", lambda f: movie(f / "in.mp4"), target="out.mp4"),
    Case("mp4-mkv", lambda f: movie(f / "in.mp4")),
    Case("mov-pcm", lambda f: movie(f / "in.mov", audio="pcm_s16le"), target="out.mov"),
    Case(
        "mov-pcm-mp4",
        lambda f: movie(f / "in.mov", audio="pcm_s16le"),
        Kept(noted={1: "becomes aac"}),
        target="out.mp4",
    ),
    Case("mkv", lambda f: movie(f / "in.mkv", audio="flac")),
    Case(
        "webm",
        lambda f: movie(f / "in.webm", video="libvpx", audio="libopus"),
        target="out.webm",
        options=WEBM,
    ),
    Case(
        "webm-vorbis-mp4",
        lambda f: movie(f / "in.webm", video="libvpx-vp9", audio="libvorbis"),
        target="out.mp4",
    ),
    Case(
        "avi",
        lambda f: movie(f / "in.avi", video="mpeg4", audio="libmp3lame"),
        Kept(name="out.mkv", said=["avi cannot hold the result: it is written as Matroska"]),
        target="out.avi",
    ),
    Case(
        "avi-packed",
        lambda f: packed(
            f / "in.avi",
            film(
                f / "plain.avi",
                "-bf",
                "1",
                "-b_strategy",
                "0",
                "-g",
                "100",
                codec="mpeg4",
                frames=12,
            ),
        ),
        Kept(times=[0.1 * n for n in range(12)]),
    ),
    Case(
        "avi-pcm",
        lambda f: movie(f / "in.avi", video="mjpeg", audio="pcm_s16le", pix_fmt="yuvj420p"),
    ),
    Case("ts", lambda f: movie(f / "in.ts", audio="mp2"), target="out.ts"),
    Case("ts-aac", lambda f: movie(f / "in.ts"), Kept(adts=(0,)), target="out.mp4"),
    Case("m2ts", lambda f: movie(f / "in.m2ts", audio="ac3"), target="out.m2ts"),
    Case("mts-mkv", lambda f: movie(f / "in.mts", audio="ac3")),
    Case(
        "vob",
        lambda f: movie(f / "in.vob", video="mpeg2video", audio="ac3", rate="25"),
        Kept(),
        target="out.mkv",
    ),
    Case(
        "vob-vob",
        lambda f: movie(f / "in.vob", video="mpeg2video", audio="ac3", rate="25"),
        Kept(name="out.mkv", said=["vob cannot hold the result: it is written as Matroska"]),
        target="out.vob",
    ),
    Case("mpg", lambda f: movie(f / "in.mpg", video="mpeg1video", audio="mp2", rate="25")),
    Case("ts-broken-start", lambda f: broken_start(f / "in.ts")),
    Case("ts-packets-lost", lambda f: packets_lost(f / "in.ts"), Kept(lost=True)),
    Case("flv", lambda f: movie(f / "in.flv")),
    Case(
        "flv-sorenson",
        lambda f: movie(f / "in.flv", video="flv1", audio="libmp3lame"),
        Kept(name="out.mkv", said=["flv cannot hold the result: it is written as Matroska"]),
        target="out.flv",
    ),
    Case(
        "wmv",
        lambda f: movie(f / "in.wmv", video="wmv2", audio="wmav2"),
        Kept(
            name="out.mkv",
            noted={1: "becomes aac"},
            said=["wmv cannot hold the result: it is written as Matroska"],
        ),
        target="out.wmv",
    ),
    Case("asf", lambda f: movie(f / "in.asf", video="msmpeg4", audio="libmp3lame")),
    Case(
        "3gp",
        lambda f: movie(
            f / "in.3gp",
            "-s",
            "128x96",
            "-ar",
            "8000",
            "-ac",
            "1",
            "-b:a",
            "12.2k",
            video="h263",
            audio="libopencore_amrnb",
        ),
        Kept(noted={1: "becomes aac"}),
        target="out.mp4",
    ),
    Case(
        "3gp-3gp",
        lambda f: movie(f / "in.3gp", video="mpeg4"),
        Kept(name="out.mkv", said=["3gp cannot hold the result: it is written as Matroska"]),
        target="out.3gp",
    ),
    Case("ogv", lambda f: movie(f / "in.ogv", video="libtheora", audio="libvorbis")),
    Case(
        "ogv-ogv",
        lambda f: movie(f / "in.ogv", video="libtheora", audio="libvorbis"),
        Kept(name="out.mkv", said=["ogv cannot hold the result: it is written as Matroska"]),
        target="out.ogv",
    ),
    Case(
        "mxf",
        lambda f: movie(
            f / "in.mxf", "-ar", "48000", video="mpeg2video", audio="pcm_s16le", rate="25"
        ),
    ),
    Case(
        "mxf-mov",
        lambda f: movie(
            f / "in.mxf", "-ar", "48000", video="mpeg2video", audio="pcm_s16le", rate="25"
        ),
        target="out.mov",
    ),
    Case(
        "raw-h264",
        lambda f: film(f / "in.264", "-f", "h264", rate="25"),
        Kept(times=[n / 25 for n in range(10)]),
        target="out.mp4",
    ),
    Case(
        "raw-hevc",
        lambda f: film(f / "in.265", "-f", "hevc", rate="25", codec="libx265"),
        Kept(times=[n / 25 for n in range(10)]),
        target="out.mp4",
    ),
    Case(
        "raw-mpeg4",
        lambda f: film(f / "in.m4v", "-f", "m4v", rate="25", codec="mpeg4"),
        Kept(times=[n / 25 for n in range(10)]),
    ),
    Case(
        "raw-mjpeg",
        lambda f: film(f / "in.mjpeg", rate="25", codec="mjpeg", pix_fmt="yuvj420p"),
        Kept(times=[n / 25 for n in range(10)]),
    ),
    Case(
        "raw-av1",
        lambda f: film(f / "in.obu", rate="25", codec="libsvtav1"),
        Kept(times=[n / 25 for n in range(10)]),
    ),
    Case("ivf", lambda f: film(f / "in.ivf", codec="libvpx")),
    Case("y4m", lambda f: film(f / "in.y4m", codec="rawvideo")),
    Case(
        "y4m-ten-bit",
        lambda f: film(f / "in.y4m", "-strict", "-1", codec="rawvideo", pix_fmt="yuv422p10le"),
    ),
    Case("nut", lambda f: movie(f / "in.nut", video="ffv1", audio="flac")),
    Case("dv", digital_tape, Kept(progressive=True)),
    Case("default-settings", lambda f: movie(f / "in.mp4"), target="out.mp4", options=DEFAULT),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_containers(case: Case, tmp_path: Path) -> None:
    assert run(case, tmp_path) == []
