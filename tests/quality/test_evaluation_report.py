"""The JSON of a comparison."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from models import tiny_weights
from truth import write_clip, write_image, write_images

import vsrcli
from vsrcli.quality.clips import ClipFiles
from vsrcli.quality.comparison import compare, load_models
from vsrcli.quality.conventions import Conventions
from vsrcli.quality.report import as_json


def test_schema(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path)
    write_clip(tmp_path / "a.mkv", 2, 64, 48)
    write_images(tmp_path / "b", 2)
    files = [ClipFiles(tmp_path / "a.mkv"), ClipFiles(tmp_path / "b")]
    conventions = Conventions("upscale", "bi", 4)
    models = load_models([str(weights)], scale=None, device="cpu", precision="fp32")
    clips = list(compare(models, files, conventions, lambda progress: None))
    found = json.loads(json.dumps(as_json(models, clips, conventions), allow_nan=False))
    assert list(found) == ["conventions", "versions", "models", "mean", "clips"]
    assert found["conventions"]["border"].startswith("8 pixels")
    assert found["versions"]["vsrcli"] == vsrcli.__version__
    assert found["versions"]["torch"] == torch.__version__
    name = "tiny-tga0.safetensors"
    assert found["models"] == {
        name: {
            "network": "tga",
            "weights": name,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "device": "cpu",
            "precision": "fp32",
            "warnings": [],
        }
    }
    a, b = found["clips"]
    assert {key: a[key] for key in ("name", "file", "width", "height", "frames")} == {
        "name": "a", "file": "a.mkv", "width": 64, "height": 48, "frames": 2,
    }  # fmt: skip
    assert a["sha256"] == hashlib.sha256((tmp_path / "a.mkv").read_bytes()).hexdigest()
    assert (b["file"], b["sha256"]) == ("b", None)
    names = ["bicubic", "lanczos", name, f"{name} repeated"]
    assert list(a["scores"]) == names
    assert [row["model"] for row in a["rows"]] == names == [row["model"] for row in found["mean"]]
    score = a["scores"][name][0]
    assert (score["frame"], score["part"], score["tof"]) == (1, "all", None)
    row, mean = a["rows"][2], found["mean"][2]
    assert row["psnr_y"] == pytest.approx(sum(s["psnr_y"] for s in a["scores"][name]) / 2, abs=1e-5)
    assert row["gain"] == pytest.approx(row["psnr_y"] - a["rows"][0]["psnr_y"], abs=1e-5)
    assert mean["psnr_y"] == pytest.approx((row["psnr_y"] + b["rows"][2]["psnr_y"]) / 2, abs=1e-5)
    assert set(mean) == {*row} and mean["clip"] == "mean"
    assert a["rows"][0]["gain"] is None and row["temporal_gain"] is not None
    assert str(tmp_path) not in json.dumps(found)


def test_equal_pictures_have_no_number(tmp_path: Path) -> None:
    clip = tmp_path / "grey.png"
    write_image(clip, np.full((32, 32, 3), 128, np.uint8))
    conventions = Conventions("upscale", "bi", 4)
    clips = list(compare([], [ClipFiles(clip)], conventions, lambda progress: None))
    found = as_json([], clips, conventions)
    assert found["mean"][0]["psnr_y"] is None and found["mean"][0]["ssim_y"] == 1
    json.dumps(found, allow_nan=False)
