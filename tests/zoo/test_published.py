"""The table of official checkpoints."""

from __future__ import annotations

import re

import pytest

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.official import IMPORTABLE
from vsrcli.zoo.published import ELSEWHERE, PUBLISHED, Published, find_published


def test_the_networks_of_the_five_papers_are_all_answered_for() -> None:
    assert set(PUBLISHED) == {"tga", "tga-dilated"}
    assert set(ELSEWHERE) == {"fstrn", "spmc", "stdan", "stfan"}


@pytest.mark.parametrize("checkpoint", PUBLISHED.values(), ids=PUBLISHED)
def test_addresses_are_pinned(checkpoint: Published) -> None:
    assert checkpoint.network in IMPORTABLE
    assert re.fullmatch(
        r"https://raw\.githubusercontent\.com/[\w.-]+/\w+/[0-9a-f]{40}/[\w./-]+",
        checkpoint.remote.address,
    )
    digits = {"git blob id": 40, "SHA-256": 64}[checkpoint.remote.checksum.kind]
    assert re.fullmatch(f"[0-9a-f]{{{digits}}}", checkpoint.remote.checksum.value)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_cannot_be_fetched_says_what_to_do(name: str) -> None:
    with pytest.raises(WeightsError, match=f"`vsr (weights import|train) {name}") as told:
        find_published(name)
    assert "\n" not in str(told.value)


def test_unknown_names_get_the_good_ones() -> None:
    with pytest.raises(UsageError, match="choose one of tga, tga-dilated, .*stfan"):
        find_published("edvr")
