"""Means of scores, with numbers that can be added up by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsrcli.quality.clips import ClipFiles
from vsrcli.quality.comparison import ModelScores, ScoredClip
from vsrcli.quality.measure import FrameScore
from vsrcli.quality.summary import means_over_clips, rows_of
from vsrcli.quality.trials import Part


def frame(
    number: int, value: float, part: Part = "all", flicker: float | None = None
) -> FrameScore:
    return FrameScore(number, part, value, value + 1, value / 100, flicker=flicker)


def clip(name: str, *scores: ModelScores) -> ScoredClip:
    return ScoredClip(ClipFiles(Path(f"{name}.mp4")), 64, 48, 3, scores)


def test_means_and_gains() -> None:
    one = clip(
        "one",
        ModelScores("bicubic", (frame(1, 20), frame(2, 24, flicker=3))),
        ModelScores("tga", (frame(1, 21), frame(2, 27, flicker=2))),
        ModelScores("tga repeated", (frame(2, 26.5),)),
    )
    bicubic, tga, repeated = rows_of(one)
    assert (bicubic.clip, bicubic.model, bicubic.part) == ("one", "bicubic", "all")
    assert bicubic.values == pytest.approx(
        {"psnr_y": 22, "psnr_rgb": 23, "ssim_y": 0.22, "flicker": 3}
    )
    assert tga.values["gain"] == 2
    assert tga.values["temporal_gain"] == 0.5
    assert repeated.values["gain"] == 2.5
    two = clip("two", *(ModelScores(m, (frame(1, 30),)) for m in ("bicubic", "tga")))
    means = means_over_clips([*rows_of(one), *rows_of(two)])
    assert [(row.clip, row.model) for row in means] == [
        ("mean", "bicubic"), ("mean", "tga"), ("mean", "tga repeated"),
    ]  # fmt: skip
    # The clips count alike, whatever their length.
    assert means[1].values["psnr_y"] == (24 + 30) / 2
    assert means[1].values["gain"] == 1
    assert means[1].values["flicker"] == 2


def test_given_and_new_frames_apart() -> None:
    pairs = ((1, 20.0, "given"), (2, 10.0, "new"), (3, 22.0, "given"))
    frames = tuple(frame(number, value, part) for number, value, part in pairs)  # type: ignore[arg-type]
    better = tuple(frame(number, value + 2, part) for number, value, part in pairs)  # type: ignore[arg-type]
    rows = rows_of(clip("a", ModelScores("bicubic", frames), ModelScores("stdan", better)))
    assert [(row.model, row.part) for row in rows] == [
        (model, part) for model in ("bicubic", "stdan") for part in ("given", "new")
    ]
    assert [row.values["psnr_y"] for row in rows] == [21, 10, 23, 12]
    assert [row.values.get("gain") for row in rows] == [None, None, 2, 2]
