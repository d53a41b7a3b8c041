"""Every network from the command line, with small weights made here."""

from __future__ import annotations

import json
from pathlib import Path

import clips
import pytest
from command import Vsr
from ffmpeg import video_times
from models import tiny_weights

SPEED = ("--device", "cpu", "--preset", "ultrafast")


@pytest.mark.parametrize(
    ("name", "scale", "frames"),
    [("tga", 4, 3), ("fstrn", 4, 3), ("spmc", 2, 3), ("stdan", 4, 5)],
)
def test_upscale(vsr: Vsr, tmp_path: Path, name: str, scale: int, frames: int) -> None:
    source = clips.with_audio(tmp_path / "in.mp4", "-s", "32x24", frames=3)
    weights = tiny_weights(tmp_path, name=name)
    target = tmp_path / "out.mp4"
    found = vsr("upscale", source, target, "--model", name, "--weights", weights, *SPEED, "--json")
    assert found.code == 0, found.err
    report = json.loads(found.out)
    assert (report["model"], report["frames"]) == (name, frames)
    assert report["output_size"] == [32 * scale, 24 * scale]
    assert len(video_times(target)) == frames
    assert f"{frames} frames in 0:00:" in found.err


def test_deblur_names_its_output(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "clip.mov", frames=3, size=(32, 24))
    weights = tiny_weights(tmp_path, name="stfan")
    found = vsr("deblur", source, "--weights", weights, "--reset-every", 2, *SPEED)
    assert found.code == 0, found.err
    assert video_times(tmp_path / "clip.deblurred.mov") == pytest.approx(video_times(source))
    again = vsr("deblur", source, "--weights", weights, *SPEED)
    assert again.code == 1 and "--overwrite" in again.err


def test_original_moments_alone(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=3, size=(16, 16))
    weights = tiny_weights(tmp_path, name="stdan")
    words = ("--model", "stdan", "--weights", weights, *SPEED, "--fps-factor", "1")
    assert vsr("upscale", source, tmp_path / "out.mp4", *words).code == 0
    assert video_times(tmp_path / "out.mp4") == pytest.approx(video_times(source))


def test_wrong_uses(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=1)
    target, before = tmp_path / "out.mp4", set(tmp_path.iterdir())
    for words, said in (
        (("upscale", source, target, "--model", "lanczos", "--fps-factor", "2"), "no frames betw"),
        (("deblur", source, target, "--model", "lanczos"), "use vsr upscale"),
        (("deblur", source, target, "--reset-every", "0"), "makes no sense"),
        (("deblur", tmp_path), "Name an output"),
    ):
        found = vsr(*words)
        assert (found.code, found.out) == (2, ""), words
        assert found.err.startswith("vsr: ") and said in found.err
        assert found.err.count("\n") == 1
    assert set(tmp_path.iterdir()) == before
