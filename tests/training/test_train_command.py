"""`vsr train`, from footage to weights."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from tiny_recipes import TINY

from vsrcli.cli.train import train
from vsrcli.errors import InputError, UsageError, VsrError
from vsrcli.training import recipes
from vsrcli.training.checkpoint import load_average
from vsrcli.training.data import shard
from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.state import Training
from vsrcli.zoo.weights import load_weights


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """A training set of noise blocks."""
    folder = tmp_path / "data"
    folder.mkdir()
    random = np.random.default_rng(0)
    blocks = np.kron(random.integers(60, 200, (50, 50, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    clip = np.stack([blocks[t : t + SIZE, :SIZE] for t in range(FRAMES)])
    shard.save(folder, [clip, clip[::-1]], [blocks], {})
    (folder / "CREDITS.md").write_text("noise\n")
    return folder


def write_video(path: Path, frames: int) -> None:
    random = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for _ in range(frames):
            picture = random.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("name", ["fstrn", "stfan"])
def test_from_footage_by_a_pack_to_weights(
    name: str, footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recipes.RECIPES, "tiny", TINY[name])
    train(data=footage, pack=tmp_path / "set.zip", size_limit=2)
    for twin in ("blur", "sharp"):
        write_video(tmp_path / f"clip_{twin}.mkv", 9)
    out, validation = tmp_path / "run", [tmp_path / "clip_blur.mkv"]
    options = {"out": out, "validation": validation, "device": "cpu"}
    train("tiny", data=tmp_path / "set.zip", steps=1, batch=1, rate=1e-4, **options)
    train("tiny", data=footage, steps=2, **options)
    facts = load_average(out / "checkpoint.pt")[1]
    assert facts["step"] == 2
    assert (facts["recipe"].batch, facts["recipe"].peak_rate) == (1, 1e-4)
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 1, 2, 2][-len(rows) :]
    (score,) = rows[-1]["clips"].values()
    assert score["plain_psnr"] > 0

    train(out=out, export=tmp_path / "weights.safetensors")
    begun = tmp_path / "begun"
    start = tmp_path / "weights.safetensors"
    changes = {"grow": [f"0.5:{TINY[name].patch // 2}:1"], "loss": "huber"}
    changes |= {"moved_share": 0.9, "slow_share": 0.8, "first_share": 0.3, "joint": True}
    train("tiny", data=footage, out=begun, steps=1, start=start, device="cpu", **changes)
    assert load_weights(start).spec.network == name
    state = load_average(begun / "checkpoint.pt")[1]
    assert state["recipe"].growth == (recipes.Stage(0.5, TINY[name].patch // 2, 1),)
    assert (state["recipe"].moved_share, state["recipe"].slow_share) == (0.9, 0.8)
    assert (state["recipe"].first_share, state["recipe"].joint) == (0.3, True)
    assert (state["recipe"].loss, state["begun_at"]) == ("huber", "weights")


def test_training_with_a_teacher(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recipes.RECIPES, "tiny", TINY["tga"])
    train("tiny", data=footage, out=tmp_path / "tga", steps=1, device="cpu")
    train(out=tmp_path / "tga", export=tmp_path / "teacher.safetensors")
    monkeypatch.setitem(recipes.RECIPES, "tiny", TINY["stdan"])
    options = {"data": footage, "steps": 1, "device": "cpu"}
    networks = []
    for name, teacher in (("taught", tmp_path / "teacher.safetensors"), ("alone", None)):
        train("tiny", out=tmp_path / name, teacher=teacher, **options)
        network, state = load_average(tmp_path / name / "checkpoint.pt")
        assert state["taught_by"] == ("teacher" if teacher else "")
        networks.append(network.conv_last.weight)
    assert not torch.equal(*networks)


def test_interrupted_training_says_how_to_go_on(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "train_step", interrupted)
    monkeypatch.setitem(recipes.RECIPES, "tiny", TINY["fstrn"])
    with pytest.raises(VsrError, match="goes on from the checkpoint in .*run") as stopped:
        train("tiny", data=footage, out=tmp_path / "run", steps=1, device="cpu")
    assert stopped.value.exit_code == 130
    assert load_average(tmp_path / "run" / "checkpoint.pt")[1]["step"] == 0


def test_command_says_what_is_wrong(footage: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(UsageError, match="--pack needs --data"):
        train(pack=tmp_path / "set.zip")
    with pytest.raises(UsageError, match="needs --out"):
        train("fstrn", data=footage, steps=1)
    with pytest.raises(UsageError, match="one of --minutes and --steps"):
        train("fstrn", data=footage, out=out, steps=1, minutes=1)
    with pytest.raises(UsageError, match="choose one of tga-lite, tga, fstrn, spmc-x2"):
        train("spmc", data=footage, out=out, steps=1)
    with pytest.raises(InputError, match="x_sharp"):
        train("stfan", data=footage, out=out, steps=1, validation=[tmp_path / "clip.mkv"])
    with pytest.raises(UsageError, match="multiple of 1 up to 48"):
        train("fstrn", data=footage, out=out, steps=1, patch=64, device="cpu")
    with pytest.raises(UsageError, match="'0.4:24' is not SHARE:PATCH:BATCH"):
        train("fstrn", data=footage, out=out, steps=1, grow=["0.4:24"])
    with pytest.raises(UsageError, match="Unknown loss 'l2'; choose one of charbonnier, l1, mse"):
        train("fstrn", data=footage, out=out, steps=1, loss="l2")
    with pytest.raises(UsageError, match="Unknown optimizer 'sgd'; choose one of adam, muon"):
        train("fstrn", data=footage, out=out, steps=1, optimizer="sgd")
    with pytest.raises(InputError, match="no pack of training footage"):
        train("fstrn", data=Path(__file__), out=out, steps=1, device="cpu")
    with pytest.raises(InputError, match="holds no training set"):
        train("fstrn", data=tmp_path, out=out, steps=1, device="cpu")
    assert not (out / "checkpoint.pt").exists()
