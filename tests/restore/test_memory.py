"""Choosing tiles and batches from memory."""

from __future__ import annotations

import pytest
import torch
from models import TINY

from vsrcli.networks.tga import PUBLISHED, spec_of
from vsrcli.restore.memory import choose_batch, choose_tile, free_memory, is_out_of_memory
from vsrcli.restore.tiles import SMALLEST

GIB = 2**30


def test_free_memory_of_the_host_is_plausible() -> None:
    assert 2**24 < free_memory(torch.device("cpu")) < 2**50


def test_whole_pictures_where_they_fit() -> None:
    assert choose_tile(spec_of(TINY), (720, 1280), torch.float32, 64 * GIB) is None


def test_tiles_where_they_do_not() -> None:
    spec = spec_of(PUBLISHED)
    tile = choose_tile(spec, (4320, 7680), torch.float32, 8 * GIB)
    assert tile is not None
    needed = (tile + 2 * spec.reach) ** 2 * spec.activations * 4
    assert needed <= 4 * GIB
    assert choose_tile(spec, (4320, 7680), torch.float32, 1) == SMALLEST


def test_batches_on_cards_only() -> None:
    spec = spec_of(TINY)
    assert choose_batch(spec, (90, 160), torch.float16, torch.device("cpu"), 64 * GIB) == 1
    assert choose_batch(spec, (90, 160), torch.float16, torch.device("cuda"), 64 * GIB) == 8
    assert choose_batch(spec, (4320, 7680), torch.float16, torch.device("cuda"), GIB) == 1


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
