"""The list of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo import catalogue as module
from vsrcli.zoo.catalogue import catalogue, default_model, find_entry, model_names


def test_names_what_the_mission_promises() -> None:
    assert {"tga", "tga-lite", "bicubic", "lanczos"} <= set(model_names())


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_default_models_are_shipped(device: str) -> None:
    assert default_model(device) in catalogue()
    assert default_model("cuda") == "tga"
    assert default_model("cpu") == "tga-lite"


def test_unknown_name_lists_the_good_ones() -> None:
    with pytest.raises(UsageError, match="choose one of tga, tga-lite, bicubic, lanczos"):
        find_entry("esrgan")


def test_installation_without_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "weights_folder", lambda: tmp_path)
    module.catalogue.cache_clear()
    try:
        with pytest.raises(WeightsError, match="reinstall"):
            catalogue()
    finally:
        module.catalogue.cache_clear()
