"""The groups strategy, against the network's own forward over each group."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from models import tiny
from torch import Tensor

from vsrcli.networks.stdan import STDAN
from vsrcli.networks.stdan_inference import STDANInference
from vsrcli.restore.groups import GroupRunner
from vsrcli.restore.ration import Ration

SIZE = (16, 24)


@pytest.fixture(scope="module")
def network() -> STDANInference:
    plain = tiny("stdan")
    assert isinstance(plain, STDAN)
    return STDANInference(plain)


def _by_hand(network: STDANInference, scene: Tensor) -> Tensor:
    """(T, 3, H, W) -> (2T-1, 3, 4H, 4W): the middle two outputs of each group of four, all outer
    ones of the first and the last."""
    if len(scene) == 1:
        return network(torch.cat((scene, scene))[None])[0, :1]
    if len(scene) <= 4:
        return network(scene[None])[0]
    out: list[Tensor] = []
    last = len(scene) - 4
    for first in range(last + 1):
        made = network(scene[None, first : first + 4])[0]
        begin = 0 if first == 0 else 2
        end = 7 if first == last else 4
        out.extend(made[begin:end])
    return torch.stack(out)


def _equal(made: Tensor, expected: Tensor) -> bool:
    """But for roundings, which here and there pick another key point."""
    difference = (made - expected).abs()
    return float(difference.mean()) < 1e-6 and float(difference.max()) < 1e-3


def _run(
    network: STDANInference, scene: Tensor, ration: Ration | None = None, between: bool = True
) -> Tensor:
    runner = GroupRunner(network, 4, ration or Ration(None, 1), between=between)
    return torch.stack(list(runner.run(iter(scene))))


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7])
def test_every_moment_is_made_in_the_middle_of_its_group(
    network: STDANInference, length: int
) -> None:
    scene = torch.rand(length, 3, *SIZE)
    made, expected = _run(network, scene), _by_hand(network, scene)
    assert len(made) == 2 * length - 1
    assert _equal(made, expected)


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 3, 6])
def test_original_moments_alone(network: STDANInference, length: int) -> None:
    scene = torch.rand(length, 3, *SIZE)
    assert _equal(_run(network, scene, between=False), _run(network, scene)[::2])


@torch.no_grad()
def test_what_groups_share_is_computed_once(
    network: STDANInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    wanted: list[list[int]] = []
    frame, pair, outputs = network.frame_features, network.pair_features, network.from_features
    monkeypatch.setattr(network, "frame_features", lambda x: calls.append("f") or frame(x))
    monkeypatch.setattr(network, "pair_features", lambda a, b: calls.append("p") or pair(a, b))

    def counted(features, pairs, want: Sequence[int]):  # type: ignore[no-untyped-def]
        wanted.append(list(want))
        return outputs(features, pairs, want)

    monkeypatch.setattr(network, "from_features", counted)
    _run(network, torch.rand(7, 3, *SIZE))
    assert (calls.count("f"), calls.count("p")) == (7, 6)
    assert wanted == [[0, 1, 2, 3], [2, 3], [2, 3], [2, 3, 4, 5, 6]]


@torch.no_grad()
def test_frames_come_out_as_soon_as_their_group_is_known(network: STDANInference) -> None:
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield torch.rand(3, *SIZE)

    results = GroupRunner(network, 4, Ration(None, 1), between=True).run(endless())
    for index in range(12):
        next(results)
        assert taken <= index // 2 + 5  # one more: whether the scene goes on


@torch.no_grad()
def test_out_of_memory_goes_on_in_tiles(
    network: STDANInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets reach anywhere, but those of this network are small."""
    scene = torch.rand(4, 3, 16, 160)
    expected = _run(network, scene)
    original = network.from_features

    def limited(features, pairs, want):  # type: ignore[no-untyped-def]
        if features[0][0].shape[-1] == 160:
            raise torch.OutOfMemoryError("out of memory")
        return original(features, pairs, want)

    monkeypatch.setattr(network, "from_features", limited)
    ration = Ration(None, 1)
    made = _run(network, scene, ration)
    assert ration.shrunk and ration.tile is not None
    assert (made - expected).abs().max() < 0.5 / 255
