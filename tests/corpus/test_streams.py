"""Hard files: streams beside the picture, and which picture is the right one."""

from __future__ import annotations

import re
from pathlib import Path

import clips
import pytest
from case import WEBM, Case, Kept, Refused
from ffmpeg import describe, ffmpeg, video_times
from harness import run
from making import (
    SMOOTH,
    cover_first,
    movie,
    presentation_graphics,
    remuxed,
    text,
    with_streams,
)


def same_text(source: Path, target: Path) -> None:
    """The words of `making.text`, its italics, and each when it was."""
    first = video_times(target)[0]
    script = ffmpeg("-copyts", "-i", target, "-map", "0:s:0", "-f", "srt", "-").decode()
    found = re.findall(r"00:00:(\d+),(\d+) --> 00:00:(\d+),(\d+)\n(.*)\n", script)
    assert [words for *_, words in found] == ["<i>first</i> line", "second line"]
    times = [float(f"{one[n]}.{one[n + 1]}") - first for one in found for n in (0, 2)]
    assert times == pytest.approx([0.2, 0.9, 1.0, 1.8], abs=0.0021)


def arrival_times(source: Path, target: Path) -> None:
    """Packets of 192 bytes, each with the time of its arrival, as players of discs want them."""
    data = target.read_bytes()
    assert len(data) % 192 == 0 and data[4::192] == b"\x47" * (len(data) // 192)


def timecode(source: Path, target: Path) -> None:
    """Matroska has a tag for what is a track in MOV."""
    assert re.search(r"timecode +: 01:02:03:0?4", describe(target), re.IGNORECASE)


def videos(path: Path, *, default: int) -> Path:
    """Three videos: the first small, the second large, the third in between."""
    sizes = ("32x32", "96x72", "64x48")
    ffmpeg(
        *(word for size in sizes for word in ("-f", "lavfi", "-i", f"testsrc2=s={size}:r=10:d=1")),
        *("-map", "0", "-map", "1", "-map", "2"), "-vf", SMOOTH, "-c:v", "libx264",
        "-pix_fmt", "yuv420p", "-disposition:v", "0", f"-disposition:v:{default}", "default", path,
    )  # fmt: skip
    return path


def tracks(path: Path) -> Path:
    """Three sounds in three languages with their roles."""
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(20),
        *(w for n in range(3) for w in ("-f", "lavfi", "-i", f"anoisesrc=d=2:seed={n}:a=0.2")),
        *(w for n in range(4) for w in ("-map", str(n))), "-vf", SMOOTH, "-c:v", "libx264",
        "-pix_fmt", "yuv420p", "-c:a", "aac", "-c:a:1", "ac3", "-c:a:2", "mp3",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=jpn",
        "-metadata:s:a:2", "language=fra", "-disposition:a:0", "0", "-disposition:a:1", "default",
        "-disposition:a:2", "visual_impaired", path,
    )  # fmt: skip
    return path


def renamed(folder: Path, handler: bytes, tag: bytes) -> Path:
    """An MP4 whose subtitle track pretends to be another one, which ffmpeg cannot make."""
    plain = with_streams(folder / "plain.mp4", text(folder / "a.srt"), options=["-c:s", "mov_text"])
    data = plain.read_bytes()
    assert data.count(b"tx3g") == 1 and data.count(b"sbtl") == 1
    path = folder / "in.mp4"
    path.write_bytes(data.replace(b"tx3g", tag).replace(b"sbtl", handler))
    return path


def styled(folder: Path) -> Path:
    path = folder / "a.ass"
    ffmpeg("-i", text(folder / "a.srt"), path)
    return path


def sup(folder: Path, *options: str) -> Path:
    return remuxed(folder / "pictures.mkv", presentation_graphics(folder / "a.sup"), *options)


def encrypted(folder: Path) -> Path:
    return movie(
        folder / "in.mp4", "-encryption_scheme", "cenc-aes-ctr",
        "-encryption_key", 32 * "1", "-encryption_kid", 32 * "2",
    )  # fmt: skip


ADTS = "aac_adtstoasc"

CASES = [
    Case(
        "cover-is-stream-0",
        lambda f: cover_first(f / "in.mp4", clips.with_cover(f / "p.mp4")),
        Kept(psnr=24),
        target="out.mp4",
    ),
    Case(
        "cover-to-mkv",
        lambda f: cover_first(f / "in.mp4", clips.with_cover(f / "p.mp4")),
        Kept(psnr=24),
    ),
    Case("cover-larger", lambda f: clips.with_cover(f / "in.mp4"), Kept(psnr=24), target="out.mp4"),
    Case(
        "cover-left-out",
        lambda f: clips.with_cover(f / "in.mp4"),
        Kept(psnr=24, noted={1: "left out"}),
        target="out.mov",
    ),
    Case("cover-alone", lambda f: clips.cover_only(f / "in.m4a"), Refused("no video but a cover")),
    Case(
        "videos-largest",
        lambda f: videos(f / "in.mp4", default=1),
        Kept(video="0:1", said=["stream 0 .*copied", "stream 2 .*copied"]),
    ),
    Case(
        "videos-default",
        lambda f: videos(f / "in.mkv", default=2),
        Kept(video="0:2", said=["stream 0 .*copied", "stream 1 .*copied"]),
    ),
    Case("tracks-mkv", lambda f: tracks(f / "in.mkv")),
    Case("tracks-mp4", lambda f: tracks(f / "in.mkv"), target="out.mp4"),
    Case("tracks-mov", lambda f: tracks(f / "in.mov"), target="out.mov"),
    Case("tracks-ts", lambda f: tracks(f / "in.ts"), Kept(adts=(0,)), target="out.ts"),
    Case("everything-mkv", lambda f: clips.everything(f / "in.mkv"), Kept(psnr=24)),
    Case(
        "everything-mp4",
        lambda f: clips.everything(f / "in.mkv"),
        Kept(psnr=24, noted={3: "becomes mov_text", 4: "left out"}),
        target="out.mp4",
    ),
    Case(
        "everything-webm",
        lambda f: clips.everything(f / "in.mkv"),
        Kept(psnr=24, roles=False, noted={1: "becomes opus", 3: "becomes webvtt", 4: "left out"}),
        target="out.webm",
        options=WEBM,
    ),
    Case(
        "everything-ts",
        lambda f: clips.everything(f / "in.mkv"),
        Kept(
            psnr=24,
            roles=False,
            adts=(0,),
            noted={3: "left out", 4: "left out"},
            chapters=False,
            said=["chapters are left out"],
        ),
        target="out.ts",
    ),
    Case(
        "mov-text-to-srt",
        lambda f: with_streams(
            f / "in.mp4",
            text(f / "a.srt"),
            options=["-c:s", "mov_text", "-metadata:s:s:0", "language=deu"],
        ),
        Kept(noted={2: "becomes subrip"}, check=same_text),
    ),
    Case(
        "mov-text-stays",
        lambda f: with_streams(
            f / "in.mp4",
            text(f / "a.srt"),
            options=["-c:s", "mov_text", "-metadata:s:s:0", "language=deu"],
        ),
        Kept(check=same_text),
        target="out.mp4",
    ),
    Case(
        "srt-to-mov-text",
        lambda f: with_streams(f / "in.mkv", text(f / "a.srt")),
        Kept(noted={2: "becomes mov_text"}, check=same_text),
        target="out.mp4",
    ),
    Case("ass-stays", lambda f: with_streams(f / "in.mkv", styled(f)), Kept(check=same_text)),
    Case(
        "ass-to-mov-text",
        lambda f: with_streams(f / "in.mkv", styled(f)),
        Kept(noted={2: "becomes mov_text"}, check=same_text),
        target="out.mp4",
    ),
    Case(
        "webvtt",
        lambda f: with_streams(f / "in.mkv", text(f / "a.srt"), options=["-c:s", "webvtt"]),
        Kept(check=same_text),
    ),
    Case("pgs-stays", lambda f: with_streams(f / "in.mkv", presentation_graphics(f / "a.sup"))),
    Case(
        "pgs-m2ts",
        lambda f: with_streams(f / "in.m2ts", presentation_graphics(f / "a.sup")),
        Kept(adts=(0,), check=arrival_times),
        target="out.m2ts",
    ),
    Case(
        "pgs-not-in-ts",
        lambda f: with_streams(f / "in.mkv", presentation_graphics(f / "a.sup")),
        Kept(adts=(0,), noted={2: "left out"}),
        target="out.ts",
    ),
    Case(
        "pgs-left-out",
        lambda f: with_streams(f / "in.mkv", presentation_graphics(f / "a.sup")),
        Kept(noted={2: "left out"}),
        target="out.mp4",
    ),
    Case("vobsub-stays", lambda f: with_streams(f / "in.mkv", sup(f), options=["-c:s", "dvdsub"])),
    Case(
        "vobsub-mp4",
        lambda f: with_streams(f / "in.mkv", sup(f), options=["-c:s", "dvdsub"]),
        Kept(),
        target="out.mp4",
    ),
    Case(
        "dvb-stays",
        lambda f: with_streams(f / "in.ts", sup(f), options=["-c:s", "dvbsub"]),
        Kept(),
        target="out.ts",
    ),
    Case(
        "dvb-to-mkv",
        lambda f: with_streams(f / "in.ts", sup(f), options=["-c:s", "dvbsub"]),
        Kept(adts=(0,)),
    ),
    Case(
        "dvb-left-out",
        lambda f: with_streams(f / "in.ts", sup(f), options=["-c:s", "dvbsub"]),
        Kept(adts=(0,), noted={2: "left out"}),
        target="out.mp4",
    ),
    Case(
        "forced-subtitles",
        lambda f: with_streams(
            f / "in.mkv",
            text(f / "a.srt"),
            styled(f),
            options=[
                "-disposition:s:0",
                "forced",
                "-disposition:s:1",
                "hearing_impaired",
                "-metadata:s:s:1",
                "language=spa",
            ],
        ),
    ),
    Case(
        "chapters-mp4",
        lambda f: remuxed(
            f / "in.mp4", clips.everything(f / "all.mkv"), "-map", "-0:s", "-map", "-0:t"
        ),
        Kept(psnr=24),
        target="out.mp4",
    ),
    Case(
        "timecode",
        lambda f: movie(f / "in.mov", "-timecode", "01:02:03:04", audio="pcm_s16le"),
        Kept(),
        target="out.mov",
    ),
    Case(
        "timecode-mkv",
        lambda f: movie(f / "in.mov", "-timecode", "01:02:03:04"),
        Kept(rebuilt=[2], check=timecode),
    ),
    Case("gpmd", lambda f: renamed(f, b"meta", b"gpmd"), target="out.mp4"),
    Case("gpmd-left-out", lambda f: renamed(f, b"meta", b"gpmd"), Kept(noted={2: "left out"})),
    Case("encrypted", encrypted, Refused("encrypted"), target="out.mp4"),
    Case("no-video", lambda f: clips.audio_only(f / "in.mp3"), Refused("no video")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_streams(case: Case, tmp_path: Path) -> None:
    assert run(case, tmp_path) == []
