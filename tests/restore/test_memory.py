"""Choosing tiles and batches from memory."""

from __future__ import annotations

import pytest
import torch
from models import TINY

from vsrcli.networks import basicvsr, fstrn, spmc, stdan, stfan, tga
from vsrcli.networks.tga import spec_of
from vsrcli.restore.memory import (
    choose_batch,
    choose_length,
    choose_tile,
    free_memory,
    is_out_of_memory,
)
from vsrcli.restore.tiles import SMALLEST, border_of

GIB = 2**30


def test_free_memory_of_the_host_is_plausible() -> None:
    assert 2**24 < free_memory(torch.device("cpu")) < 2**50


def test_whole_pictures_where_they_fit() -> None:
    assert choose_tile(spec_of(TINY), (720, 1280), torch.float32, 64 * GIB) is None


SPECS = {
    "tga": tga.spec_of(tga.PUBLISHED),
    "fstrn": fstrn.spec_of(fstrn.PUBLISHED),
    "spmc": spmc.spec_of(spmc.STANDARD),
    "stdan": stdan.spec_of(stdan.PUBLISHED),
    "stfan": stfan.spec_of(stfan.PUBLISHED),
    "basicvsr": basicvsr.spec_of(basicvsr.PUBLISHED),
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("free", [1, 2, 4, 16])
def test_tiles_of_huge_pictures_fit_into_little_memory(name: str, free: int) -> None:
    """8K: what a tile is given, its surroundings included, takes half of the free memory."""
    spec = SPECS[name]
    tile = choose_tile(spec, (4320, 7680), torch.float16, free * GIB)
    if tile is None:
        assert 4320 * 7680 * spec.activations * 2 <= free * GIB / 2
        return
    assert tile > SMALLEST
    given = min(4320, tile + 2 * border_of(spec, tile))
    assert (
        given * min(7680, tile + 2 * border_of(spec, tile)) * spec.activations * 2 <= free * GIB / 2
    )


def test_tiles_are_never_too_small() -> None:
    assert choose_tile(SPECS["tga"], (4320, 7680), torch.float32, 1) == SMALLEST


def test_batches_on_cards_only() -> None:
    spec = spec_of(TINY)
    assert choose_batch(spec, (90, 160), torch.float16, torch.device("cpu"), 64 * GIB) == 1
    assert choose_batch(spec, (90, 160), torch.float16, torch.device("cuda"), 64 * GIB) == 8
    assert choose_batch(spec, (4320, 7680), torch.float16, torch.device("cuda"), GIB) == 1


def test_shorter_chunks_where_states_would_not_fit() -> None:
    """A state of BasicVSR has 64 channels of 4 bytes."""
    spec, size = SPECS["basicvsr"], (1080, 1920)
    assert choose_length(spec, size, 1024 * GIB) == 30
    length = choose_length(spec, size, 16 * GIB)
    assert 1 < length < 30
    assert length * 64 * 4 * 1080 * 1920 <= 16 * GIB / 4 < (length + 1) * 64 * 4 * 1080 * 1920
    assert choose_length(spec, size, 1) == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (MemoryError(), True),
        (RuntimeError("size mismatch"), False),
    ],
)
def test_recognises_want_of_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
