"""What is known of models, with and without weights at hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from models import TINY, tiny, tiny_tga
from safetensors.torch import save_file

from vsrcli.errors import UsageError, WeightsError
from vsrcli.networks.spec import Bidirectional, Groups
from vsrcli.zoo.catalogue import MODELS, catalogue
from vsrcli.zoo.models import find_model, listed_names
from vsrcli.zoo.weights import save_weights

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of shipped weights with SPMC at two scales."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    save_weights(folder / "x2.safetensors", tiny("spmc"), {"degradation": "BI", "licence": "MIT"})
    content = (folder / "x2.safetensors").read_bytes()
    entry = {
        "network": "spmc",
        "sha256": hashlib.sha256(content).hexdigest(),
        "degradation": "BI",
        "training": "none",
        "licence": "MIT",
        "model": "spmc",
    }
    rows = {
        "spmc-x2": {**entry, "file": "x2.safetensors", "scale": 2},
        "spmc-x4": {**entry, "file": "x4.safetensors", "scale": 4},
    }
    (folder / "catalogue.json").write_text(json.dumps(rows))
    for user in ("catalogue", "models"):
        monkeypatch.setattr(f"vsrcli.zoo.{user}.weights_folder", lambda: folder)
    catalogue.cache_clear()
    yield folder
    catalogue.cache_clear()


def write_scores(path: Path, model: str, rows: list[dict[str, object]]) -> None:
    """What `vsr eval` writes, as far as it is read."""
    report = {"models": {model: {}}, "clips": [{"name": "sea", "rows": rows}]}
    path.write_text(json.dumps(report))


def test_every_model_is_listed_once() -> None:
    names = listed_names()
    assert len(names) == len(set(names))
    assert {*catalogue(), "bicubic", "lanczos"} <= set(names)
    called = {entry.model for entry in catalogue().values()}
    assert set(MODELS) <= {*names, *called}


def test_shipped_weights_tell_of_themselves() -> None:
    model = find_model("tga")
    assert (model.weights, model.spec.network) == ("shipped", "tga")
    assert model.parameters == 7_057_853
    assert model.flop == pytest.approx(1293e9, rel=1e-3)
    assert model.header["licence"] == "MIT" and "BI" in model.header["degradation"]
    assert model.file_hash() == catalogue()["tga"].sha256
    report = json.loads(model.path.with_suffix(".json").read_text())  # type: ignore[union-attr]
    (mean,) = [row for row in report["mean"] if row["model"] == "tga"]
    assert model.gain == pytest.approx(mean["gain"], abs=1e-5)
    assert report["models"]["tga"]["sha256"] == model.file_hash()
    assert any("vsr weights fetch tga" in line for line in model.advice)
    assert find_model("tga-lite").parameters < model.parameters / 5


def test_scores_of_given_and_new_frames(shipped: Path) -> None:
    names = ("bicubic", "lanczos", "spmc-x2")
    rows = [
        {"model": name, "part": part, "psnr_y": 10 * i + j, "ssim_y": i / 10}
        for i, name in enumerate(names)
        for j, part in enumerate(("given", "new"))
    ]
    write_scores(shipped / "x2.json", "spmc-x2", rows)
    model = find_model("spmc-x2")
    assert [asdict(score) for score in model.scores] == [
        {"name": "sea given", "psnr": 20, "ssim": 0.2, "plain_psnr": 0, "plain_ssim": 0.0},
        {"name": "sea new", "psnr": 21, "ssim": 0.2, "plain_psnr": 1, "plain_ssim": 0.0},
    ]
    assert model.gain == 20


def test_fetched_weights_tell_of_themselves(cache: Path) -> None:
    network = tiny_tga()
    save_weights(cache / "tga-official.safetensors", network, {"degradation": "BD"})
    assert "tga-official" in listed_names()
    model = find_model("tga-official")
    assert model.weights == "fetched"
    assert model.parameters == sum(p.numel() for p in network.parameters())
    assert model.header["degradation"] == "BD"
    assert model.gain is None and model.entry is None


def test_published_weights_tell_of_themselves_before_they_are_fetched(
    cache: Path, shipped: Path
) -> None:
    model = find_model("basicvsr-bd")
    assert (model.weights, model.path, model.gain) == ("online", None, None)
    assert model.parameters == 6_291_311
    assert model.spec.strategy == Bidirectional(30, 15, 64)
    assert model.header["licence"] == "Apache-2.0"
    assert "(BD)" in model.header["degradation"] and "Vimeo-90K" in model.header["training"]
    assert "`vsr weights fetch basicvsr-bd`" in model.advice[0]
    rows = [
        {"model": name, "part": "all", "psnr_y": value, "ssim_y": 0.9}
        for name, value in (("bicubic", 28.5), ("basicvsr-bd", 30.0))
    ]
    write_scores(shipped / "basicvsr-bd.json", "basicvsr-bd", rows)
    assert find_model("basicvsr-bd").gain == 1.5

    save_weights(cache / "basicvsr-bd.safetensors", tiny_tga(), model.header)
    fetched = find_model("basicvsr-bd")
    assert (fetched.weights, fetched.gain) == ("fetched", 1.5)
    assert fetched.header.items() >= model.header.items()


def test_weights_are_not_loaded(cache: Path) -> None:
    """Tensors that the network would not take are no hindrance."""
    header = {"network": "tga", "config": json.dumps(asdict(TINY))}
    save_file({"wrong": torch.zeros(1)}, cache / "mine.safetensors", metadata=header)
    assert find_model("mine").weights == "fetched"


def test_without_weights_it_says_where_they_come_from(shipped: Path) -> None:
    model = find_model("stdan")
    assert (model.weights, model.path, model.file_hash()) == ("none", None, None)
    assert model.parameters == 8_292_843
    assert model.spec.strategy == Groups(4)
    assert any("vsr train stdan" in line for line in model.advice)
    assert any("vsr weights import stdan" in line for line in model.advice)


def test_baselines_need_no_weights() -> None:
    model = find_model("lanczos")
    assert (model.weights, model.parameters, model.flop) == ("not needed", 0, None)


def test_weights_of_several_scales(shipped: Path) -> None:
    names = listed_names()
    assert "spmc-x2" in names and "spmc-x4" in names and "spmc" not in names
    assert find_model("spmc-x2").spec.scales == (2,)
    (shipped / "x2.safetensors").rename(shipped / "x4.safetensors")
    assert find_model("spmc").name == "spmc-x4"


def test_missing_and_unknown(shipped: Path) -> None:
    with pytest.raises(WeightsError, match=r"No weights file .*x4\.safetensors"):
        find_model("spmc-x4")
    with pytest.raises(UsageError, match="choose one of spmc-x2, .*stfan"):
        find_model("edvr")


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"network": "tga"},
        {"network": "tga", "config": "{"},
        {"network": "tga", "config": "[]"},
        {"network": "tga", "config": '{"width": 3}'},
        {"network": "edvr", "config": "{}"},
    ],
)
def test_files_of_others(cache: Path, header: dict[str, str]) -> None:
    save_file({"x": torch.zeros(1)}, cache / "bad.safetensors", metadata=header)
    with pytest.raises(WeightsError) as told:
        find_model("bad")
    assert "\n" not in str(told.value)


def test_damaged_file(cache: Path) -> None:
    (cache / "bad.safetensors").write_bytes(b"hello")
    with pytest.raises(WeightsError, match=r"bad\.safetensors is not a readable safetensors file"):
        find_model("bad")


def test_json_holds_it_all(cache: Path) -> None:
    save_weights(cache / "mine.safetensors", tiny("stfan"), {"licence": "MIT"})
    found = json.loads(json.dumps(find_model("mine").as_json()))
    assert (found["task"], found["scales"], found["licence"]) == ("deblur", [1], "MIT")
    assert found["strategy"] == {"kind": "recurrent", "period": 20}
    assert found["size"] == (cache / "mine.safetensors").stat().st_size
    assert found["gflop"] > 0 and len(found["sha256"]) == 64
