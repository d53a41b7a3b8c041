"""The window strategy, against windows cut out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from models import tiny_tga
from torch import Tensor

from vsrcli.errors import DeviceError
from vsrcli.networks.tga_inference import TGAInference
from vsrcli.restore.ration import Ration
from vsrcli.restore.window import WindowRunner

SIZE = (10, 14)


def _clip(length: int) -> list[Tensor]:
    return [torch.rand(3, *SIZE) for _ in range(length)]


def _by_hand(network: TGAInference, scene: list[Tensor]) -> list[Tensor]:
    """Each frame's window stacked and run whole, the ends of the scene repeated."""
    last, out = len(scene) - 1, []
    for center in range(len(scene)):
        window = [scene[min(max(i, 0), last)] for i in range(center - 3, center + 4)]
        out.append(network(torch.stack(window)[None])[0, 0])
    return out


def _stream(network: TGAInference, scenes: Sequence[list[Tensor]], batch: int = 1) -> list[Tensor]:
    runner = WindowRunner(network, 3, Ration(None, batch))
    return [frame for scene in scenes for frame in runner.run(iter(scene))]


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 9])
def test_ends_repeat_the_end_frame(length: int) -> None:
    network, scene = TGAInference(tiny_tga()), _clip(length)
    made, expected = _stream(network, [scene]), _by_hand(network, scene)
    assert len(made) == length
    for a, b in zip(made, expected, strict=True):
        assert (a - b).abs().max() < 1e-5


@torch.no_grad()
def test_windows_stay_inside_their_scene() -> None:
    network, scenes = TGAInference(tiny_tga()), [_clip(5), _clip(1), _clip(8)]
    expected = [frame for scene in scenes for frame in _by_hand(network, scene)]
    made = _stream(network, scenes)
    assert max(float((a - b).abs().max()) for a, b in zip(made, expected, strict=True)) < 1e-5
    # Without the cuts the frames beside them would differ.
    uncut = _stream(network, [[frame for scene in scenes for frame in scene]])
    assert (uncut[4] - expected[4]).abs().max() > 1e-3


@torch.no_grad()
def test_batches_change_nothing() -> None:
    network, scenes = TGAInference(tiny_tga()), [_clip(4), _clip(6)]
    single, batched = _stream(network, scenes), _stream(network, scenes, batch=3)
    assert max(float((a - b).abs().max()) for a, b in zip(single, batched, strict=True)) < 1e-5


@torch.no_grad()
def test_features_are_computed_once_a_frame() -> None:
    network = TGAInference(tiny_tga())
    calls: list[int] = []
    original = network.frame_features
    network.frame_features = lambda x: calls.append(len(x)) or original(x)  # type: ignore
    _stream(network, [_clip(9)])
    assert calls == [1] * 9


@torch.no_grad()
def test_frames_come_out_as_soon_as_their_window_is_known() -> None:
    taken = 0

    def frames():  # type: ignore[no-untyped-def]
        nonlocal taken
        for frame in _clip(20):
            yield frame
            taken += 1

    results = WindowRunner(TGAInference(tiny_tga()), 3, Ration(None, 1)).run(frames())
    for index in range(10):
        next(results)
        assert taken <= index + 4


class _Failing(TGAInference):
    """Runs out of memory on anything larger than `limit` pixels."""

    limit = 10**9

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        if center.shape[0] * center.shape[-1] * center.shape[-2] > self.limit:
            raise torch.OutOfMemoryError("out of memory")
        return super().from_features(features, center)


@torch.no_grad()
def test_out_of_memory_shrinks_and_goes_on() -> None:
    network = _Failing(tiny_tga())
    clip = [torch.rand(3, 150, 170) for _ in range(3)]
    expected = _by_hand(network, clip)
    network.limit = 130 * 130
    ration = Ration(None, 2)
    made = list(WindowRunner(network, 3, ration).run(iter(clip)))
    assert ration.shrunk and ration.tile is not None and ration.batch == 1
    assert max(float((a - b).abs().max()) for a, b in zip(made, expected, strict=True)) < 1e-4


@torch.no_grad()
def test_out_of_memory_in_the_smallest_tile_is_an_error() -> None:
    network = _Failing(tiny_tga())
    network.limit = 0
    runner = WindowRunner(network, 3, Ration(None, 1))
    with pytest.raises(DeviceError, match="Out of memory even with tiles of"):
        list(runner.run(iter([torch.rand(3, 64, 64)])))


@torch.no_grad()
def test_other_errors_are_not_taken_for_memory() -> None:
    network = TGAInference(tiny_tga())
    runner = WindowRunner(network, 3, Ration(None, 1))
    with pytest.raises(RuntimeError, match="channels"):
        list(runner.run(iter([torch.rand(5, 16, 16)])))
