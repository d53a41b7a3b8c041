"""Scores as curves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vsrcli.errors import UsageError
from vsrcli.quality.clips import ClipFiles
from vsrcli.quality.comparison import ModelScores, ScoredClip
from vsrcli.quality.measure import FrameScore
from vsrcli.quality.plot import check_plot, write_plot


def test_a_panel_a_clip_and_a_curve_a_model(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    frames = tuple(FrameScore(number, "all", 30 + number, 30, 0.9) for number in (1, 2, 3))
    scores = (ModelScores("bicubic", frames), ModelScores("tga", frames))
    clips = [ScoredClip(ClipFiles(Path(f"{n}.mp4")), 64, 48, 3, scores) for n in ("sea", "park")]
    target = tmp_path / "scores.svg"
    check_plot(target)
    write_plot(clips, target)
    drawn = target.read_text()
    for text in ("sea", "park", "bicubic", "tga", "PSNR-Y, dB"):
        assert f"<!-- {text} -->" in drawn


def test_what_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match="--plot scores.doc: name the file by its format, .*png"):
        check_plot(Path("scores.doc"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"pip install 'vsrcli\[report\]'"):
        check_plot(Path("scores.png"))
