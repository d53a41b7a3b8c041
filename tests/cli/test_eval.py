"""`vsr eval`."""

from __future__ import annotations

import json
from pathlib import Path

import clips
import pytest
from command import Vsr
from models import tiny_weights

SPEED = ("--device", "cpu", "--precision", "fp32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two clips of 64x48."""
    folder = tmp_path / "clips"
    folder.mkdir()
    clips.clip(folder / "card.mp4", frames=4)
    clips.images(folder / "still", "%d.png", "rgb24", 2)
    return folder


def test_models_on_a_folder(vsr: Vsr, tmp_path: Path, folder: Path) -> None:
    pytest.importorskip("matplotlib")
    weights = tiny_weights(tmp_path)
    report, plot = tmp_path / "scores.json", tmp_path / "scores.png"
    models = f"bicubic,{weights}"
    found = vsr(
        "eval", "--model", models, "--data", folder, "--frames", 3, "--json", report,
        "--plot", plot, *SPEED,
    )  # fmt: skip
    assert found.code == 0, found.err
    rows = [line.split() for line in found.out.splitlines()]
    assert rows[0][:2] == ["clip", "model"] and rows[0][-2:] == ["gain", "temporal"]
    names = ["bicubic", "lanczos", weights.name, weights.name]
    for clip in ("card", "still", "mean"):
        assert [row[1] for row in rows if row[:1] == [clip]] == names
    written = json.loads(report.read_text())
    assert [clip["name"] for clip in written["clips"]] == ["card", "still"]
    assert [clip["frames"] for clip in written["clips"]] == [3, 2]
    mean = next(row for row in rows if row[:2] == ["mean", "bicubic"])
    assert mean[2] == f"{written['mean'][0]['psnr_y']:.2f}"
    assert "frames: the first 3; 1 to the last count." in found.out
    assert "border: 8 pixels on each side do not count" in found.out
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert f"card: {weights.name}" in found.err


def test_json_on_stdout(vsr: Vsr, folder: Path) -> None:
    words = ("--degradation", "BD", "--score", "2-3", "--border", 6, "--json", "-", "--quiet")
    found = vsr("eval", "--model", "lanczos", "--data", folder / "card.mp4", *words, *SPEED)
    assert (found.code, found.err) == (0, "")
    written = json.loads(found.out)
    assert written["conventions"]["input"].startswith("bd, x4:")
    assert written["models"] == {}
    (clip,) = written["clips"]
    assert [score["frame"] for score in clip["scores"]["bicubic"]] == [2, 3]
    assert clip["scores"]["lanczos"][0]["vmaf"] is not None


def test_deblurring(vsr: Vsr, tmp_path: Path) -> None:
    clips.clip(tmp_path / "sharp.mp4", frames=8)
    weights = tiny_weights(tmp_path, name="stfan")
    found = vsr("eval", "--model", weights, "--data", tmp_path / "sharp.mp4", *SPEED)
    assert found.code == 0, found.err
    names = [line.split()[1] for line in found.out.splitlines() if line.startswith("sharp")]
    assert names == ["input", weights.name]


def test_new_frames_have_their_own_rows(vsr: Vsr, tmp_path: Path, folder: Path) -> None:
    weights = tiny_weights(tmp_path, name="stdan")
    found = vsr("eval", "--model", weights, "--data", folder / "card.mp4", *SPEED)
    assert found.code == 0, found.err
    rows = [line.split()[:4] for line in found.out.splitlines() if line.startswith("mean")]
    names = ("bicubic", "lanczos", weights.name)
    parts = [["mean", part, name] for name in names for part in ("given", "new")]
    assert [row[:3] for row in rows[:-1]] == parts
    assert rows[-1] == ["mean", "given", weights.name, "repeated"]


def test_wrong_uses(vsr: Vsr, tmp_path: Path, folder: Path) -> None:
    before = set(tmp_path.iterdir())
    usual = {"--model": "bicubic", "--data": folder}
    for changed, code, said in (
        ({"--model": "edvr"}, 2, "Unknown model 'edvr'"),
        ({"--data": tmp_path / "absent"}, 1, "no such file or folder"),
        ({"--degradation": "fog"}, 2, "'fog'"),
        ({"--degradation": "blur"}, 2, "is for models that deblur"),
        ({"--frames": 0}, 2, "--frames"),
        ({"--border": -1}, 2, "--border"),
        ({"--scale": 0}, 2, "--scale"),
        ({"--score": "6-4"}, 2, "such as 4-6"),
        ({"--score": "4-6"}, 1, "card: of 4 frames, 4 to 6 cannot be scored"),
        ({"--plot": tmp_path / "a.doc"}, 2, "name the file by its format"),
        ({"--json": tmp_path}, 1, "is a folder"),
        ({"--json": tmp_path / "no" / "a.json"}, 1, "no"),
    ):
        words = [word for pair in {**usual, **changed}.items() for word in pair]
        found = vsr("eval", *words, *SPEED)
        assert found.code == code, (changed, found)
        assert said in found.err.splitlines()[-1], found.err
        assert set(tmp_path.iterdir()) == before
