"""The chunk strategy, against the whole scene at once."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from models import tiny
from torch import Tensor

from vsrcli.networks.fstrn import FSTRN
from vsrcli.networks.fstrn_inference import FSTRNInference
from vsrcli.networks.spec import Chunk
from vsrcli.restore.chunk import ChunkRunner
from vsrcli.restore.ration import Ration


@pytest.fixture(scope="module")
def network() -> FSTRNInference:
    plain = tiny("fstrn")
    assert isinstance(plain, FSTRN)
    return FSTRNInference(plain)


def _runner(
    network: FSTRNInference, tile: int | None = None, batch: int = 1, length: int = 4
) -> ChunkRunner:
    assert isinstance(network.spec.strategy, Chunk)
    return ChunkRunner(network, network.spec.strategy.radius, length, Ration(tile, batch))


def _difference(made: list[Tensor], whole: Tensor) -> float:
    assert len(made) == len(whole)
    return float((torch.stack(made) - whole).abs().max())


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 2, 9, 23])
@pytest.mark.parametrize("batch", [1, 5])
def test_streamed_frames_are_those_of_the_whole_scene(
    network: FSTRNInference, length: int, batch: int
) -> None:
    clip = torch.rand(length, 3, 12, 16)
    made = list(_runner(network, batch=batch).run(iter(clip)))
    assert _difference(made, network(clip[None])[0]) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize(("length", "chunk"), [(1, 4), (6, 1), (6, 4), (17, 4)])
def test_tiles_restore_chunk_by_chunk_and_get_the_same(
    network: FSTRNInference, length: int, chunk: int
) -> None:
    clip = torch.rand(length, 3, 20, 72)
    made = list(_runner(network, tile=36, length=chunk).run(iter(clip)))
    assert _difference(made, network(clip[None])[0]) < 1e-4


@torch.no_grad()
def test_scenes_know_nothing_of_each_other(network: FSTRNInference) -> None:
    runner, scenes = _runner(network), torch.rand(2, 5, 3, 8, 8)
    first, second = (list(runner.run(iter(scene))) for scene in scenes)
    assert _difference(first, network(scenes[:1])[0]) < 1e-5
    assert _difference(second, network(scenes[1:])[0]) < 1e-5
    joined = list(runner.run(iter(scenes.flatten(0, 1))))
    assert (joined[5] - second[0]).abs().max() > 1e-4, "time must matter for this to say anything"


@torch.no_grad()
def test_holds_no_more_than_its_context(network: FSTRNInference) -> None:
    """Frames come out `radius` later, from a source without an end."""
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield torch.rand(3, 8, 8)

    assert isinstance(network.spec.strategy, Chunk)
    radius = network.spec.strategy.radius
    for index, _ in enumerate(islice(_runner(network).run(endless()), 30)):
        assert taken <= index + radius + 1


@torch.no_grad()
@pytest.mark.parametrize("fails_at", [0, 3, 11, 14])
def test_out_of_memory_goes_on_in_tiles(
    network: FSTRNInference, fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever frame it happens at, no frame is lost, repeated or different."""
    clip = torch.rand(14, 3, 70, 40)
    whole = network(clip[None])[0]
    opened = network.open

    class Failing:
        """A stream that gives up after `fails_at` pushes of whole frames."""

        def __init__(self) -> None:
            self.stream = opened()
            self.whole = 0

        def push(self, frames: Tensor) -> Tensor:
            self.whole += frames.shape[-2:] == clip.shape[-2:]
            self._fail()
            return self.stream.push(frames)

        def finish(self) -> Tensor:
            self.whole += self.whole > 0
            self._fail()
            return self.stream.finish()

        def _fail(self) -> None:
            if self.whole > fails_at:
                raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(network, "open", Failing)
    ration = Ration(None, 1)
    runner = ChunkRunner(network, network.spec.strategy.radius, 4, ration)  # type: ignore
    made = list(runner.run(iter(clip)))
    assert ration.shrunk and ration.tile == 35
    assert _difference(made, whole) < 1e-4
