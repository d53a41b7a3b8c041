"""Hard files: when frames are shown."""

from __future__ import annotations

from pathlib import Path

import clips
import pytest
from case import Case, Kept
from ffmpeg import ffmpeg, packet_hashes, video_times
from harness import run
from making import SMOOTH, film, movie, remuxed, with_edits

NEXT = "moved just behind it"


def retimed(path: Path, expression: str, *options: str, frames: int = 10, bf: str = "0") -> Path:
    """A film whose packets have other presentation times: milliseconds, from their number N."""
    plain = film(path.with_name("plain.mkv"), "-bf", bf, "-g", "4", frames=frames)
    return remuxed(path, plain, "-bsf:v", f"setts=ts='{expression}'", *options)


def edited(folder: Path, *edits: tuple[int, int], name: str = "in.mp4") -> Path:
    """B-frames at ten frames a second, 1024 ticks each; two are the delay of reordering."""
    plain = film(
        folder / "plain.mp4", "-bf", "2", "-g", "30", "-x264-params", "scenecut=0:b-adapt=0",
        frames=20,
    )  # fmt: skip
    return with_edits(folder / name, plain, edits)


def joined(path: Path, *offsets: float, audio: str = "mp2", video: str = "mpeg2video") -> Path:
    """Recordings of a second each, one after the other, with their clocks beginning anywhere."""
    parts = [
        movie(
            path.with_name(f"part{n}{path.suffix}"),
            "-output_ts_offset",
            str(offset),
            frames=10,
            audio=audio,
            video=video,
        )  # fmt: skip
        for n, offset in enumerate(offsets)
    ]
    return clips.concatenated(path, parts)


def variable(path: Path) -> Path:
    """Frames at `clips.uneven_times`."""
    plain = clips.variable_rate(path.with_name("plain.mkv"))
    scale = ["-video_track_timescale", "1000"] if path.suffix == ".mp4" else []
    ffmpeg(
        "-i", plain, "-vf", SMOOTH, "-fps_mode", "passthrough", "-enc_time_base", "1/1000", "-bf",
        "2", "-threads", "1", *scale, path,
    )  # fmt: skip
    return path


def parts_in_step(source: Path, target: Path) -> None:
    """Each part's sound is as far from its picture as in the part alone, and none overlaps."""
    pictures = video_times(target)
    sound = packet_hashes(target, "0:a:0")
    for n in range(2):
        part = source.with_name(f"part{n}{source.suffix}")
        first, moved = video_times(part)[0], pictures[10 * n]
        wanted = packet_hashes(part, "0:a:0")
        kept, sound = sound[: len(wanted)], sound[len(wanted) :]
        assert [digest for _, digest in kept] == [digest for _, digest in wanted]
        found = [time - moved for time, _ in kept]
        assert found == pytest.approx([time - first for time, _ in wanted], abs=0.0021)
    assert not sound


JOINED = Kept(
    times=[0.1 * n for n in range(20)], slack=0.05, in_step=False, said=["clock starts anew"],
    check=parts_in_step,
)  # fmt: skip
"""The second part's first sound, some before its picture, follows the first part's last."""


def even(frames: int, rate: int = 10) -> list[float]:
    return [n / rate for n in range(frames)]


BROADCAST = {"video": "mpeg2video", "audio": "mp2"}
TELEVISION = ("-output_ts_offset", "80000")
FRAGMENTS = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")

CASES = [
    Case("vfr-mp4", lambda f: variable(f / "in.mp4"), target="out.mp4"),
    Case("vfr-mkv", lambda f: variable(f / "in.mkv")),
    Case("edit-empty", lambda f: movie(f / "in.mp4", late=(0.3, 0)), target="out.mp4"),
    Case("edit-negative", lambda f: movie(f / "in.mp4", late=(0, 0.25)), target="out.mp4"),
    Case("edit-cut", lambda f: edited(f, (1500, 2048 + 3 * 1024)), target="out.mp4"),
    Case("edit-on-b-frame", lambda f: edited(f, (1200, 2048 + 4 * 1024 + 512)), target="out.mp4"),
    Case("edits-several", lambda f: edited(f, (500, 2048), (500, 2048 + 10 * 1024))),
    Case("edits-gap", lambda f: edited(f, (400, -1), (500, 2048), (300, 2048 + 12 * 1024))),
    Case("edits-twice", lambda f: edited(f, (500, 2048), (500, 2048)), Kept(times=even(10))),
    Case(
        "copied-cut",
        lambda f: remuxed(
            f / "in.mp4", movie(f / "plain.mp4", "-g", "10", frames=30), "-ss", "0.5"
        ),
        target="out.mp4",
    ),
    Case("late-clock-ts", lambda f: movie(f / "in.ts", *TELEVISION, **BROADCAST), target="out.mp4"),
    Case("late-clock-mkv", lambda f: movie(f / "in.mkv", "-output_ts_offset", "1000")),
    Case(
        "late-clock-mkv-mp4",
        lambda f: movie(f / "in.mkv", "-output_ts_offset", "1000"),
        target="out.mp4",
    ),
    Case(
        "clock-wraps",
        lambda f: movie(f / "in.ts", "-output_ts_offset", "95441.3", **BROADCAST),
        Kept(times=even(20)),
    ),
    Case("clock-jumps-forward", lambda f: joined(f / "in.ts", 0, 100), JOINED),
    Case("clock-jumps-back", lambda f: joined(f / "in.ts", 100, 0), JOINED),
    Case("clock-repeats", lambda f: joined(f / "in.ts", 10, 10), JOINED),
    Case(
        "times-repeat",
        lambda f: retimed(f / "in.mkv", "100*(N-eq(N,5))"),
        Kept(times=even(10), slack=0.1, said=[NEXT]),
    ),
    Case(
        "times-go-back",
        lambda f: retimed(f / "in.mkv", "if(lt(N,5),1000+100*N,100*N)"),
        Kept(times=[0, 0.1, 0.2, 0.3, *(0.4 + 0.001 * n for n in range(6))], said=[NEXT]),
    ),
    Case("no-times-h264", lambda f: film(f / "in.h264"), Kept(times=even(10))),
    Case("no-times-hevc", lambda f: film(f / "in.hevc", codec="libx265"), Kept(times=even(10))),
    Case(
        "no-times-mpeg2",
        lambda f: film(f / "in.m2v", rate="25", codec="mpeg2video"),
        Kept(times=even(10, 25)),
    ),
    Case("one-frame", lambda f: film(f / "in.mp4", frames=1), target="out.mp4"),
    Case("one-frame-sound", lambda f: movie(f / "in.mp4", frames=1, sound=2), target="out.mp4"),
    Case(
        "six-seconds-apart", lambda f: retimed(f / "in.mkv", "6000*N", frames=2), Kept(times=[0, 6])
    ),
    Case(
        "six-seconds-apart-mp4",
        lambda f: remuxed(f / "in.mp4", retimed(f / "far.mkv", "6000*N", frames=2)),
        Kept(times=[0, 6]),
        target="out.mp4",
    ),
    Case(
        "fragmented",
        lambda f: movie(
            f / "in.mp4", "-g", "5", "-movflags", "frag_keyframe+empty_moov+default_base_moof"
        ),
        target="out.mp4",
    ),
    Case(
        "fragmented-every-frame",
        lambda f: movie(f / "in.mp4", "-movflags", "frag_every_frame+empty_moov"),
        target="out.mkv",
    ),
    Case("sound-longer", lambda f: movie(f / "in.mp4", sound=6), target="out.mp4"),
    Case("sound-much-shorter", lambda f: movie(f / "in.mp4", sound=0.2), target="out.mp4"),
    Case("sound-late", lambda f: movie(f / "in.mkv", sound=1, late=(0, 0.7))),
    Case("sound-late-mp4", lambda f: movie(f / "in.mkv", sound=1, late=(0, 0.7)), target="out.mp4"),
    Case("picture-late", lambda f: movie(f / "in.mkv", late=(0.7, 0))),
    Case("rate-lies", lambda f: retimed(f / "in.mkv", "40*N"), Kept(times=even(10, 25))),
    Case(
        "rate-lies-avi",
        lambda f: film(
            f / "in.avi", "-bsf:v", "h264_metadata=tick_rate=120", codec="libx264", rate="10"
        ),
    ),
    Case("ntsc", lambda f: movie(f / "in.mp4", rate="30000/1001", frames=30), target="out.mp4"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_time(case: Case, tmp_path: Path) -> None:
    assert run(case, tmp_path) == []
