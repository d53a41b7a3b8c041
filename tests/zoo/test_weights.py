"""Weights files: written, read, and refused when something is wrong with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from models import TINY, tiny_tga, tiny_weights
from safetensors.torch import load_file, save_file

from vsrcli.errors import WeightsError
from vsrcli.zoo.catalogue import Entry, catalogue
from vsrcli.zoo.weights import load_entry, load_weights, save_weights, verify


def _header(**changes: str) -> dict[str, str]:
    config = json.dumps(TINY.__dict__)
    return {"network": "tga", "config": config, **changes}


def test_round_trip(tmp_path: Path) -> None:
    network, loaded = tiny_tga(3), load_weights(tiny_weights(tmp_path, 3))
    assert loaded.config == TINY and not loaded.training
    for key, value in network.state_dict().items():
        found = loaded.state_dict()[key]
        expected = value.half().float() if value.dim() >= 4 else value
        assert torch.equal(found, expected), key


def test_description_travels_in_the_header(tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "w.safetensors"
    save_weights(path, tiny_tga(), {"degradation": "BI", "licence": "MIT"})
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert (metadata["degradation"], metadata["licence"]) == ("BI", "MIT")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="No weights file"):
        load_weights(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 64, b"\x02" + b"\0" * 7 + b"{}"])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        load_weights(path)


def test_truncated_file(tmp_path: Path) -> None:
    path = tiny_weights(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_weights(path)


def test_file_that_says_no_network(tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="vsr weights import"):
        load_weights(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "edvr"}, "Unknown network 'edvr'"),
        ({"config": "[1]"}, "not a JSON object"),
        ({"config": "{"}, "not a JSON object"),
        ({"config": '{"depth": 3}'}, "Not a configuration of tga"),
        ({"config": '{"features": "many"}'}, "Not a configuration of tga"),
        ({"config": '{"features": 1000000000000}'}, "Not a configuration of tga"),
    ],
)
def test_header_that_makes_no_sense(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    path = tmp_path / "odd.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata=_header(**changes))
    with pytest.raises(WeightsError, match=message):
        load_weights(path)


def test_tensors_of_another_network(tmp_path: Path) -> None:
    path = tiny_weights(tmp_path)
    state = load_file(path)
    missing = {key: value for key, value in state.items() if key != "compress.bias"}
    shaped = {**state, "compress.bias": torch.zeros(3)}
    infinite = {**state, "compress.bias": torch.full_like(state["compress.bias"], torch.nan)}
    for made, message in (
        (missing, "lacks compress.bias"),
        ({**state, "extra": torch.zeros(1)}, "unknown extra"),
        (shaped, r"compress.bias has shape \(3,\)"),
        (infinite, "not finite"),
    ):
        save_file(made, path, metadata=_header())
        with pytest.raises(WeightsError, match=message):
            load_weights(path)


def test_network_other_than_expected(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="weights of tga, not of fstrn"):
        load_weights(tiny_weights(tmp_path), "fstrn")


def test_hash_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsrcli.zoo.catalogue.weights_folder", lambda: tmp_path)
    tiny_weights(tmp_path)
    entry = Entry("tiny", "tga", "tiny-tga0.safetensors", "0" * 64, 4, "none", "none", "MIT")
    with pytest.raises(WeightsError, match="the catalogue says 0000"):
        load_entry(entry)
    with pytest.raises(WeightsError, match="reinstall"):
        verify(replace(entry, file="absent.safetensors"))


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_shipped_weights_are_whole(name: str) -> None:
    entry = catalogue()[name]
    network = load_entry(entry)
    assert network.spec.scales == (entry.scale,)
    assert (Path(entry.path).parent / f"{name}.md").is_file(), "each has its card"
