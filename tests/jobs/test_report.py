"""Progress and the report of a job."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import clips
import pytest

from vsrcli.jobs.report import Meter, Progress, Report, expected_frames
from vsrcli.media.probe import probe


def test_time_left_follows_from_the_rate() -> None:
    assert Progress(25, 100, 5.0, {}).seconds_left == 15
    assert Progress(120, 100, 5.0, {}).seconds_left == 0
    assert Progress(25, None, 5.0, {}).seconds_left is None
    assert Progress(0, 100, 0.0, {}).seconds_left is None


def test_meter_tells_frames_and_shares() -> None:
    told: list[Progress] = []
    meter = Meter(10, told.append)
    meter.update(4, {"decode": 0.25, "restore": 0.5, "encode": 0.25})
    assert [(p.frames, p.expected, p.shares["restore"]) for p in told] == [(4, 10, 0.5)]
    assert told[0].fps >= 4 / meter.seconds
    Meter(10, None).update(4, {})


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [(None, None, 20), ("0.5", None, 15), (None, "0.5", 5), ("0.5", "1.3", 8), ("0.5", "9", 15)],
)
def test_expected_frames(tmp_path: Path, start: str | None, end: str | None, wanted: int) -> None:
    info = probe(clips.clip(tmp_path / "in.mp4", frames=20))
    first, last = (None if text is None else Fraction(text) for text in (start, end))
    assert expected_frames(info.video, info.duration, first, last) == wanted


def test_expected_frames_are_unknown_without_a_length(tmp_path: Path) -> None:
    video = probe(clips.clip(tmp_path / "in.mp4", frames=3)).video
    assert expected_frames(replace(video, frame_count=None), None, None, None) is None


def test_report_is_plain_json() -> None:
    report = Report(
        input="in.mp4", output="out.mp4", model="lanczos", device="cpu", precision="fp32",
        backend="torch", input_size=(64, 48), output_size=(128, 96), codec="h264",
        pix_fmt="yuv420p", container="mp4", guesses=("a guess",), notes=(), frames=10,
        seconds=0.5, fps=20.0, stages={"decode": 1.0},
    )  # fmt: skip
    found = json.loads(json.dumps(report.as_json()))
    assert found["output_size"] == [128, 96]
    assert found["guesses"] == ["a guess"]
    assert found["stages"] == {"decode": 1.0}
    assert set(found) == set(Report.__dataclass_fields__)
