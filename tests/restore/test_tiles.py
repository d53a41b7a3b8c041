"""Tiles, against whole pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from models import tiny_tga

from vsrcli.networks.tga_inference import TGAInference
from vsrcli.restore.ration import Ration
from vsrcli.restore.tiles import halo_of, run_all_tiled, spans
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
        share = span.ramp(Fraction(4), total.device)
        total[span.picked.start * 4 : span.picked.stop * 4] += share
    assert torch.allclose(total, torch.ones_like(total), atol=1e-6)


def _run(network: TGAInference, frames: list[torch.Tensor], tile: int | None) -> torch.Tensor:
    return torch.stack(list(WindowRunner(network, 3, Ration(tile, 1)).run(iter(frames))))


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


@pytest.mark.parametrize("tile", [32, 40])
def test_results_of_several_sizes_fit_together(tile: int) -> None:
    """An enlarged picture and a coarser state, as a recurrent step makes them."""
    picture = torch.rand(1, 2, 96, 72)
    spec = replace(tiny_tga().spec, multiple=4, reach=8, halo=8)

    def restore(rows: slice, columns: slice) -> list[torch.Tensor]:
        part = picture[..., rows, columns]
        assert part.shape[-2] % 4 == part.shape[-1] % 4 == 0
        large = part.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return [large, torch.nn.functional.avg_pool2d(part, 4)]

    large, coarse = run_all_tiled(restore, spec, (96, 72), tile)
    whole = restore(slice(0, 96), slice(0, 72))
    assert torch.allclose(large, whole[0], atol=1e-6)
    assert torch.allclose(coarse, whole[1], atol=1e-6)
