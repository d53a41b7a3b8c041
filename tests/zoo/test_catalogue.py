"""The list of models."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo import catalogue as module
from vsrcli.zoo.catalogue import (
    Entry,
    catalogue,
    default_deblurring_model,
    default_model,
    find_entry,
    model_names,
    network_of,
)


def test_names_what_the_mission_promises() -> None:
    assert {"tga", "tga-lite", "fstrn", "spmc", "stdan", "stfan", "bicubic", "lanczos"} <= set(
        model_names()
    )


@pytest.mark.parametrize("compressed", [False, True])
def test_default_models_are_shipped(compressed: bool) -> None:
    assert default_model(compressed=compressed) in catalogue()


def test_what_deblurs_without_a_name_is_shipped() -> None:
    assert catalogue()[default_deblurring_model()].network == "stfan"


@pytest.fixture
def three_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue in which one model has weights of several scales."""
    entries = {
        name: Entry(name, network, f"{name}.safetensors", "0" * 64, scale, "", "", "MIT", model)
        for name, network, scale, model in (
            ("tga", "tga", 4, ""),
            ("spmc-x2", "spmc", 2, "spmc"),
            ("spmc-x3", "spmc", 3, "spmc"),
            ("spmc-x4", "spmc", 4, "spmc"),
        )
    }
    monkeypatch.setattr(module, "catalogue", lambda: entries)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [(None, "spmc-x4"), ("3/2", "spmc-x2"), (2, "spmc-x2"), ("5/2", "spmc-x3"), (6, "spmc-x4")],
)
def test_scale_chooses_among_weights(
    three_scales: None, wanted: int | str | None, name: str
) -> None:
    scale = None if wanted is None else Fraction(wanted)
    assert find_entry("spmc", scale).name == name
    assert find_entry("spmc-x3", scale).name == "spmc-x3", "a full name is taken as it is"
    assert network_of("spmc") == network_of("spmc-x2") == "spmc"


def test_a_model_without_weights_says_how_to_get_some(three_scales: None) -> None:
    with pytest.raises(WeightsError, match="No weights of stdan .*import stdan .*vsr train stdan"):
        find_entry("stdan")
    assert "stdan" in model_names()


def test_a_published_model_says_which_command_fetches_it() -> None:
    with pytest.raises(
        WeightsError, match="weights of basicvsr-reds .*fetch basicvsr-reds` brings"
    ):
        find_entry("basicvsr-reds")
    assert network_of("basicvsr-reds") == "basicvsr"


def test_fetched_weights_are_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_CACHE", str(tmp_path))
    assert "tga-official" not in model_names()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "tga-official.safetensors").touch()
    assert "tga-official" in model_names()


def test_unknown_name_lists_the_good_ones() -> None:
    with pytest.raises(UsageError, match="choose one of tga, tga-lite, .*bicubic, lanczos"):
        find_entry("esrgan")


def test_installation_without_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "weights_folder", lambda: tmp_path)
    module.catalogue.cache_clear()
    try:
        with pytest.raises(WeightsError, match="reinstall"):
            catalogue()
    finally:
        module.catalogue.cache_clear()
