"""The scripts around training, run as users run them."""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors import safe_open
from tiny_recipes import TINY

from vsrcli.training.checkpoint import CHECKPOINT, export, save_checkpoint
from vsrcli.training.data import shard
from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.state import Training
from vsrcli.zoo.catalogue import Entry, catalogue
from vsrcli.zoo.weights import load_weights, read_header, verify

ROOT = Path(__file__).parent.parent.parent


def module(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def run(script: str, *words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / script), *map(str, words)]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_shipped_catalogue_is_what_the_files_say() -> None:
    for entry in catalogue().values():
        header = read_header(entry.path)
        for key in ("network", "degradation", "training", "licence"):
            assert getattr(entry, key) == header[key], (entry.name, key)
        verify(entry)


def test_shipped_models_have_a_card_with_the_command_of_their_scores(tmp_path: Path) -> None:
    cards = module("check_cards")
    clips = ("clean/skyline.mp4", "clean/flower.mp4", "deblur/shake_blur.mkv")
    for path in map(tmp_path.joinpath, clips):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for name in catalogue():
        scores = json.loads((cards.WEIGHTS / f"{name}.json").read_text())
        words = cards.located(cards.options(name), tmp_path)
        assert words[words.index("--model") + 1] == name
        for clip in map(Path, (b for a, b in pairwise(words) if a == "--data")):
            assert clip.exists()
        assert scores["models"][name]["sha256"] == catalogue()[name].sha256


def test_scores_that_changed_are_told() -> None:
    cards = module("check_cards")
    kept = json.loads((cards.WEIGHTS / "fstrn.json").read_text())
    found = copy.deepcopy(kept)
    found["mean"][2]["psnr_y"] += 0.009
    found["clips"][0]["rows"][1]["vmaf"] -= 0.05
    worst, wrong = cards.compare(cards.rows_of(kept), cards.rows_of(found))
    assert wrong == [] and "psnr_y within 0.009, " in worst and "vmaf within 0.05, " in worst
    found["mean"][2]["psnr_y"] += 0.009
    found["clips"][1]["sha256"] = "another"
    del found["clips"][0]["rows"][0]
    _, wrong = cards.compare(cards.rows_of(kept), cards.rows_of(found))
    assert [line.split(":")[0] for line in wrong] == [
        "clip flower is another file than the one scored",
        "mean fstrn all psnr_y",
        "skyline bicubic all is in one of the two only",
    ]


def test_catalogue_is_written_from_exported_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for recipe, name in ((TINY["spmc"], "spmc-x2"), (TINY["fstrn"], "fstrn"), (TINY["tga"], "tga")):
        (tmp_path / name).mkdir()
        state = Training(recipe, torch.device("cpu")).state()
        save_checkpoint(state, tmp_path / name / CHECKPOINT)
        export(tmp_path / name, tmp_path / f"{name}.safetensors")
    (tmp_path / "catalogue.json").write_text('{"tga": {}, "gone": {}}')
    done = run("update_catalogue.py", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "catalogue.json").read_text())
    assert list(rows) == ["tga", "fstrn", "spmc-x2"]
    monkeypatch.setattr("vsrcli.zoo.catalogue.weights_folder", lambda: tmp_path)
    for name, row in rows.items():
        entry = Entry(name=name, **row)
        verify(entry)
        assert entry.model == ("spmc" if name == "spmc-x2" else "")
        assert entry.scale == (2 if name == "spmc-x2" else 4)
        with safe_open(entry.path, "pt") as file:
            assert entry.training == file.metadata()["training"]


def test_trainings_side_by_side(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    clip = pixels[None, :SIZE, :SIZE].repeat(FRAMES, 0)
    shard.save(data, [clip], [pixels], {})
    good = "fstrn --steps 1 --patch 4 --batch 1 --data data --device cpu"
    done = run("train_side_by_side.py", "2", good, "tga --data data", cwd=tmp_path)
    assert done.returncode == 1
    assert "fstrn: done" in done.stdout
    assert "tga: failed with code 2" in done.stdout
    assert "one of --minutes and --steps" in done.stdout
    weights = tmp_path / "runs" / "fstrn.safetensors"
    assert load_weights(weights).spec.network == "fstrn"
    assert read_header(weights)["training"].startswith("1 steps of 1 samples")
    assert not (tmp_path / "runs" / "tga.safetensors").exists()
