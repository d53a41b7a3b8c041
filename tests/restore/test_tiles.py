"""Tiles, against whole pictures."""

from __future__ import annotations

import pytest
import torch
from models import tiny_tga

from vsrcli.networks.tga_inference import TGAInference
from vsrcli.restore.tiles import halo_of, spans
from vsrcli.restore.window import WindowRunner
from vsrcli.zoo.catalogue import find_entry
from vsrcli.zoo.weights import load_entry


@pytest.mark.parametrize("length", [1, 31, 32, 33, 100, 1921])
@pytest.mark.parametrize("multiple", [1, 4])
def test_shares_add_up_to_one(length: int, multiple: int) -> None:
    total = torch.zeros(length * 4)
    for span in spans(length, 32, 10, 3, multiple):
        assert span.source.start % multiple == 0
        assert span.source.start <= max(0, span.picked.start - 10)
        assert span.source.stop >= min(length, span.picked.stop + 10)
        total[span.picked.start * 4 : span.picked.stop * 4] += span.ramp(4, total.device)
    assert torch.allclose(total, torch.ones_like(total), atol=1e-6)


def _run(network: TGAInference, frames: list[torch.Tensor], tile: int | None) -> torch.Tensor:
    runner = WindowRunner(network, 4, tile=tile, batch=1)
    return torch.stack(list(runner.stream((f, i == 0) for i, f in enumerate(frames))))


@torch.no_grad()
@pytest.mark.parametrize("size", [(70, 150), (61, 200)])
def test_tiled_equals_untiled_where_the_halo_covers_the_reach(size: tuple[int, int]) -> None:
    network = TGAInference(tiny_tga())
    tile = 3 * network.spec.reach
    assert halo_of(network.spec, tile) == network.spec.reach
    frames = [torch.rand(3, *size) for _ in range(2)]
    assert tile < size[1], "there must be something to cut"
    assert (_run(network, frames, tile) - _run(network, frames, None)).abs().max() < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("model", ["tga-lite", "tga"])
def test_measured_halo_keeps_small_tiles_within_half_a_code(
    model: str, real_clip: torch.Tensor
) -> None:
    network = TGAInference(load_entry(find_entry(model)))
    tile = 48
    assert halo_of(network.spec, tile) == network.spec.halo < network.spec.reach
    frames = list(real_clip[:4])
    difference = (_run(network, frames, tile) - _run(network, frames, None)).abs().max()
    assert 0 < difference < 0.5 / 255
