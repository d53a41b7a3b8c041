"""`vsr export`, and jobs that ONNX Runtime runs."""

from __future__ import annotations

import json
from pathlib import Path

import clips
import onnx
import pytest
from command import Vsr
from ffmpeg import video_times
from models import tiny_weights
from onnx_models import keep_outside, write_plain

SPEED = ("--device", "cpu", "--preset", "ultrafast")


def test_export_and_use(vsr: Vsr, tmp_path: Path) -> None:
    weights, target = tiny_weights(tmp_path), tmp_path / "model.onnx"
    made = vsr("export", weights, target)
    assert (made.code, made.out) == (0, f"{target}\n")
    assert made.err.startswith("ONNX opset 18, fp32, off by ") and "--model" in made.err
    source = clips.with_audio(tmp_path / "in.mp4", "-s", "32x24", frames=3)
    found = vsr("upscale", source, tmp_path / "out.mp4", "--model", target, *SPEED, "--json")
    assert found.code == 0, found.err
    report = json.loads(found.out)
    assert (report["backend"], report["precision"], report["frames"]) == ("onnx", "fp32", 3)
    assert report["output_size"] == [128, 96]
    assert "in fp32 by ONNX Runtime" in found.err
    assert len(video_times(tmp_path / "out.mp4")) == 3
    assert vsr("export", weights, target).code == 1, "an output that exists"
    assert vsr("export", weights, target, "--overwrite", "--quiet").err == ""


def test_export_for_one_size(vsr: Vsr, tmp_path: Path) -> None:
    weights, target = tiny_weights(tmp_path), tmp_path / "model.onnx"
    assert vsr("export", weights, target, "--size", "24x32", "--precision", "fp16").code == 0
    dims = onnx.load(target).graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [7, 3, 24, 32]
    good = clips.clip(tmp_path / "good.mp4", frames=2, size=(32, 24))
    found = vsr("upscale", good, tmp_path / "out.mp4", "--model", target, *SPEED)
    assert found.code == 0, found.err
    other = clips.clip(tmp_path / "other.mp4", frames=2, size=(64, 48))
    found = vsr("upscale", other, tmp_path / "other_out.mp4", "--model", target, *SPEED)
    assert found.code == 1 and "takes other sizes" in found.err and found.err.count("\n") == 1
    assert not (tmp_path / "other_out.mp4").exists()


def test_deblur_by_onnx(vsr: Vsr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_CACHE", str(tmp_path / "cache"))
    source = clips.clip(tmp_path / "clip.mov", frames=3, size=(32, 24))
    weights = tiny_weights(tmp_path, name="stfan")
    words = ("--weights", weights, "--backend", "onnx", "--reset-every", 2)
    found = vsr("deblur", source, *words, *SPEED)
    assert found.code == 0, found.err
    assert video_times(tmp_path / "clip.deblurred.mov") == pytest.approx(video_times(source))


def test_somebody_elses_model(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=3, size=(100, 60))
    model = write_plain(tmp_path / "x2.onnx", (1, 3, 64, 64))
    found = vsr("upscale", source, tmp_path / "out.mp4", "--model", model, *SPEED, "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["output_size"] == [200, 120]


def test_bad_requests(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=1)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    reaching = write_plain(tmp_path / "reaching.onnx")
    keep_outside(reaching, "../outside.bin")
    mono = write_plain(tmp_path / "mono.onnx", (1, 1, "h", "w"))
    target, before = tmp_path / "out.onnx", set(tmp_path.iterdir())
    for words, code, said in (
        (("export", "lanczos", target), 2, "no network in it"),
        (("export", "nonsense", target), 2, "Unknown model"),
        (("export", tmp_path / "absent.safetensors", target), 1, "No weights file"),
        (("export", "tga-lite", target, "--size", "big"), 2, "write dynamic or HEIGHTxWIDTH"),
        (("upscale", source, tmp_path / "o.mp4", "--model", broken), 1, "no ONNX file"),
        (("upscale", source, tmp_path / "o.mp4", "--model", reaching), 1, "outside its folder"),
        (("upscale", source, tmp_path / "o.mp4", "--model", mono), 1, "does not enlarge pictures"),
        (("deblur", source, tmp_path / "o.mp4", "--model", mono), 1, "does not enlarge pictures"),
    ):
        found = vsr(*words)
        assert (found.code, found.out) == (code, ""), words
        assert found.err.startswith("vsr: ") and said in found.err, found.err
        assert found.err.count("\n") == 1
    assert set(tmp_path.iterdir()) == before
