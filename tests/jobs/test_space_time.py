"""Frames between frames: where they lie in time, and what is never made."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from ffmpeg import ffmpeg, packet_hashes, raw_frames, video_times
from models import tiny_weights

import vsrcli
from vsrcli.errors import UsageError
from vsrcli.jobs.report import Report
from vsrcli.media.encoders import EncodeOptions


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights"), name="stdan")


def run(source: Path, target: Path, weights: Path, **options: Any) -> Report:
    options = {"encode": EncodeOptions(codec="ffv1"), "precision": "fp32", **options}
    return vsrcli.upscale(source, target, weights=weights, model="stdan", device="cpu", **options)


def midway(times: list[float]) -> list[float]:
    """The times and the moments between them, in order."""
    between = [(a + b) / 2 for a, b in zip(times, times[1:], strict=False)]
    return sorted([*times, *between])


def small(path: Path, frames: int = 6) -> Path:
    return clips.clip(path, frames=frames, size=(24, 16))


@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_doubles_the_frames_of_a_steady_clip(tmp_path: Path, weights: Path, frames: int) -> None:
    source = small(tmp_path / "in.mp4", frames)
    report = run(source, tmp_path / "out.mkv", weights)
    assert report.frames == 2 * frames - 1
    assert report.output_size == (96, 64)
    assert video_times(tmp_path / "out.mkv") == pytest.approx(
        midway(video_times(source)), abs=0.0005
    )


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_moments_of_an_uneven_clip_lie_exactly_midway(
    tmp_path: Path, weights: Path, container: str
) -> None:
    """Odd distances of whole ticks have no middle tick: the output's clock is finer."""
    source = clips.clip(
        tmp_path / "in.mp4", "-fps_mode", "passthrough", "-enc_time_base", "1/1000",
        "-video_track_timescale", "1000", frames=5, size=(24, 16),
        video_filter=r"settb=1/1000,setpts=41*N+9*mod(N*N\,5)",
    )  # fmt: skip
    encode = EncodeOptions(preset="ultrafast")
    run(source, tmp_path / f"out.{container}", weights, encode=encode)
    wanted = midway([(41 * n + 9 * (n * n % 5)) / 1000 for n in range(5)])
    assert video_times(tmp_path / f"out.{container}") == pytest.approx(wanted, abs=1e-9)


def test_a_cut_between_two_ticks_begins_at_zero(tmp_path: Path, weights: Path) -> None:
    source = clips.clip(
        tmp_path / "in.mkv", "-fps_mode", "passthrough", "-enc_time_base", "1/1000",
        frames=6, size=(24, 16), codec="ffv1", video_filter="settb=1/1000,setpts=41*N",
    )  # fmt: skip
    run(source, tmp_path / "out.mp4", weights, start=Fraction("0.0615"),
        encode=EncodeOptions(preset="ultrafast"))  # fmt: skip
    times = video_times(tmp_path / "out.mp4")
    assert times == pytest.approx(midway([0, 0.021, 0.062, 0.103, 0.144]), abs=1e-9)


def test_sound_stays_where_it_was(tmp_path: Path, weights: Path) -> None:
    source = tmp_path / "in.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(6, size=(24, 16)), "-itsoffset", "0.2",
        "-f", "lavfi", "-i", "sine=duration=0.4", "-c:v", "libx264", "-pix_fmt", "yuv420p",
        "-c:a", "aac", source,
    )  # fmt: skip
    run(source, tmp_path / "out.mkv", weights)
    wanted, found = (packet_hashes(p, "0:a:0") for p in (source, tmp_path / "out.mkv"))
    assert [packet[1] for packet in found] == [packet[1] for packet in wanted]
    assert [p[0] for p in found] == pytest.approx([p[0] for p in wanted], abs=0.0011)


def test_original_moments_alone(tmp_path: Path, weights: Path) -> None:
    source = small(tmp_path / "in.mkv")
    run(source, tmp_path / "double.mkv", weights)
    report = run(source, tmp_path / "single.mkv", weights, fps_factor=1)
    assert report.frames == 6
    assert video_times(tmp_path / "single.mkv") == pytest.approx(video_times(source))
    every = raw_frames(tmp_path / "double.mkv", "rgb24", 96, 64)
    given = raw_frames(tmp_path / "single.mkv", "rgb24", 96, 64)
    assert np.abs(every[::2].astype(int) - given).max() <= 1


def test_across_a_cut_the_frame_before_is_shown_again(tmp_path: Path, weights: Path) -> None:
    parts = []
    for index, color in enumerate(("0x101010", "0xe0e0e0")):
        parts.append(tmp_path / f"{index}.mkv")
        ffmpeg(
            "-f", "lavfi", "-i", f"color={color}:size=32x24:rate=10:duration=0.4", "-vf",
            "noise=alls=6:allf=t", "-c:v", "ffv1", "-pix_fmt", "yuv420p", parts[-1],
        )  # fmt: skip
    source = tmp_path / "in.mkv"
    ffmpeg("-i", parts[0], "-i", parts[1], "-filter_complex", "concat=n=2", "-c:v", "ffv1", source)
    report = run(source, tmp_path / "out.mkv", weights)
    made = raw_frames(tmp_path / "out.mkv", "gray", 128, 96)
    assert report.frames == len(made) == 15
    assert np.array_equal(made[7], made[6]), "between the scenes: the last of the first"
    assert not np.array_equal(made[5], made[4]), "inside a scene something new is made"
    uncut = run(source, tmp_path / "uncut.mkv", weights, scene_detection=False)
    mixed = raw_frames(tmp_path / "uncut.mkv", "gray", 128, 96)
    assert uncut.frames == 15 and not np.array_equal(mixed[7], mixed[6])


def test_repeated_times_still_rise(tmp_path: Path, weights: Path) -> None:
    """Two frames at one instant, as broken recorders write them."""
    source = clips.clip(
        tmp_path / "in.mkv", "-fps_mode", "passthrough", "-enc_time_base", "1/1000",
        frames=6, size=(24, 16), codec="ffv1",
        video_filter="settb=1/1000,setpts=40*(N-gte(N\\,3))",
    )  # fmt: skip
    given = video_times(source)
    assert len(set(given)) < len(given) == 6
    report = run(source, tmp_path / "out.mp4", weights, encode=EncodeOptions(preset="ultrafast"))
    times = video_times(tmp_path / "out.mp4")
    assert report.frames == len(times) == 11
    assert all(a < b for a, b in zip(times, times[1:], strict=False))


def test_transparency_between_frames_is_their_mean(tmp_path: Path, weights: Path) -> None:
    source = clips.clip(
        tmp_path / "in.mkv", codec="ffv1", pix_fmt="bgra", frames=3, size=(24, 16),
        video_filter="format=rgba,geq=r=r(X\\,Y):g=g(X\\,Y):b=b(X\\,Y):a=20+40*N",
    )  # fmt: skip
    run(source, tmp_path / "out.mkv", weights)
    alpha = raw_frames(tmp_path / "out.mkv", "rgba", 96, 64)[..., 3]
    assert [set(np.unique(frame)) for frame in alpha] == [{20}, {40}, {60}, {80}, {100}]


def test_a_model_without_moments_refuses_to_make_some(tmp_path: Path) -> None:
    source = small(tmp_path / "in.mp4")
    with pytest.raises(UsageError, match="lanczos makes no frames between others; use .* stdan"):
        vsrcli.upscale(source, tmp_path / "out.mp4", model="lanczos", fps_factor=2)
    assert not (tmp_path / "out.mp4").exists()
