"""Inputs that vanish, shrink, grow or are replaced while a job reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clips
import pytest
from ffmpeg import packet_hashes, raw_frames, video_times

import vsrcli
from vsrcli.errors import InputError
from vsrcli.jobs.report import Progress, Report
from vsrcli.media.encoders import EncodeOptions

FRAMES = 300
"""More than the stages and the codecs hold between them, and than one read of the file brings."""
EARLY = 5


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.with_audio(tmp_path_factory.mktemp("clip") / "in.mp4", frames=FRAMES)


def enlarge(source: Path, target: Path, act: Callable[[], object], **options: Any) -> Report:
    """The job, with `act` done once a few frames are written."""

    def show(progress: Progress) -> None:
        if progress.frames == EARLY:
            act()

    if target.suffix != ".png":
        options["encode"] = EncodeOptions(preset="ultrafast")
    return vsrcli.upscale(source, target, "lanczos", 1, device="cpu", progress=show, **options)


def copy(clip: Path, folder: Path) -> Path:
    path = folder / f"in{clip.suffix}"
    path.write_bytes(clip.read_bytes())
    return path


def test_a_file_that_vanishes_is_read_to_its_end(clip: Path, tmp_path: Path) -> None:
    source, target = copy(clip, tmp_path), tmp_path / "out.mp4"
    report = enlarge(source, target, source.unlink)
    assert report.frames == FRAMES and report.losses == ()
    assert video_times(target) == pytest.approx(video_times(clip))
    assert packet_hashes(target, "0:a:0") == packet_hashes(clip, "0:a:0")


def test_a_file_that_is_replaced_is_read_to_its_end(clip: Path, tmp_path: Path) -> None:
    source, target = copy(clip, tmp_path), tmp_path / "out.mkv"
    other = clips.clip(tmp_path / "other.mp4", size=(32, 32), frames=3)
    report = enlarge(source, target, lambda: other.replace(source))
    assert report.frames == FRAMES and report.losses == ()
    assert len(raw_frames(target, "gray", 64, 48)) == FRAMES


@pytest.mark.parametrize("keep", [0, 0.25, 0.5, 0.75])
def test_a_file_that_is_cut_short_gives_what_there_was(
    clip: Path, tmp_path: Path, keep: float
) -> None:
    source, target = copy(clip, tmp_path), tmp_path / "out.mp4"
    size = int(keep * source.stat().st_size)
    report = enlarge(source, target, lambda: os.truncate(source, size))
    assert EARLY < report.frames < FRAMES
    assert any("cut short" in line for line in report.losses)
    assert len(raw_frames(target, "gray", 64, 48)) == report.frames
    instants = {round(time, 3) for time in video_times(clip)}
    assert {round(time, 3) for time in video_times(target)} <= instants


def test_a_recording_that_grows(tmp_path: Path) -> None:
    """A transport stream that is still written: what is there when its end is reached is read."""
    whole = clips.clip(tmp_path / "whole.ts", "-bf", "0", frames=FRAMES)
    data = whole.read_bytes()
    half = len(data) // 2 // 188 * 188
    source, target = tmp_path / "in.ts", tmp_path / "out.mkv"
    source.write_bytes(data[:half])
    before = len(raw_frames(source, "gray", 64, 48))
    source.write_bytes(data[:half])

    def grow() -> None:
        with source.open("ab") as file:
            file.write(data[half:])

    report = enlarge(source, target, grow)
    assert before <= report.frames <= FRAMES and report.losses == ()
    assert len(raw_frames(target, "gray", 64, 48)) == report.frames
    times = video_times(target)
    assert times == pytest.approx([n / 10 for n in range(len(times))], abs=1e-3)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return clips.images(tmp_path / "in", "%03d.png", "rgb24", frames=40)


@pytest.mark.parametrize("name", ["out.mp4", "out/%03d.png"])
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda last: last.unlink(), "no such file"),
        (lambda last: os.truncate(last, 100), "cannot be decoded"),
        (lambda last: os.truncate(last, 0), "the file is empty"),
        (lambda last: (last.unlink(), last.mkdir()), "is a folder"),
    ],
)
def test_an_image_that_is_no_more(
    images: Path, tmp_path: Path, name: str, act: Callable[[Path], object], said: str
) -> None:
    last = images / "040.png"
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputError) as raised:
        enlarge(images, tmp_path / name, lambda: act(last))
    assert str(raised.value).startswith(f"{last}: {said}")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_image_that_vanishes_between_look_and_read(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes
    last = images / "040.png"

    def gone(path: Path) -> bytes:
        if path == last:
            path.unlink()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", gone)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        enlarge(images, tmp_path / "out.mp4", lambda: None)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_images_that_come_too_late_are_left(images: Path, tmp_path: Path) -> None:
    report = enlarge(
        images, tmp_path / "out.mkv",
        lambda: (images / "041.png").write_bytes((images / "001.png").read_bytes()),
    )  # fmt: skip
    assert report.frames == 40
