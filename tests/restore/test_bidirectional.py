"""The bidirectional strategy, against plain loops over the network's steps."""

from __future__ import annotations

import pytest
import torch
from models import tiny
from torch import Tensor

from vsrcli.networks.basicvsr import BasicVSR
from vsrcli.networks.basicvsr_inference import BasicVSRInference
from vsrcli.restore.bidirectional import BidirectionalRunner
from vsrcli.restore.ration import Ration
from vsrcli.restore.tiles import halo_of


@pytest.fixture(scope="module")
def network() -> BasicVSRInference:
    plain = tiny("basicvsr")
    assert isinstance(plain, BasicVSR)
    return BasicVSRInference(plain)


def _run(
    network: BasicVSRInference,
    scene: Tensor,
    length: int = 30,
    ahead: int = 15,
    ration: Ration | None = None,
) -> Tensor:
    runner = BidirectionalRunner(network, length, ahead, ration or Ration(None, 1))
    return torch.stack(list(runner.run(iter(scene))))


def _by_hand(network: BasicVSRInference, scene: Tensor, length: int, ahead: int) -> Tensor:
    """Each chunk seen from behind as part of a clip that ends `ahead` frames after it."""
    clip = [frame[None] for frame in scene]
    flows = [network.flows(*pair) for pair in zip(clip[:-1], clip[1:], strict=True)]
    behind: list[Tensor] = []
    for first in range(0, len(clip), length):
        state = None
        seen: list[Tensor] = []
        for index in reversed(range(first, min(first + length + ahead, len(clip)))):
            if state is not None:
                state = network.align(state, flows[index][0])
            state = network.step_backward(clip[index], state)
            seen.insert(0, state)
        behind += seen[:length]
    made = []
    state = None
    for index, frame in enumerate(clip):
        if state is not None:
            state = network.align(state, flows[index - 1][1])
        restored, state = network.step_forward(frame, behind[index], state)
        made.append(restored)
    return torch.cat(made)


def _difference(made: Tensor, expected: Tensor) -> float:
    assert len(made) == len(expected)
    return float((made - expected).abs().max())


@torch.no_grad()
@pytest.mark.parametrize(
    ("frames", "length", "ahead"),
    [(1, 3, 2), (5, 3, 2), (8, 3, 2), (4, 1, 1), (5, 2, 20), (3, 9, 1)],
)
def test_chunks_look_ahead_and_carry_their_state_on(
    network: BasicVSRInference, frames: int, length: int, ahead: int
) -> None:
    scene = torch.rand(frames, 3, 12, 16)
    made = _run(network, scene, length, ahead)
    assert _difference(made, _by_hand(network, scene, length, ahead)) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("length", [2, 30])
def test_is_the_whole_scene_where_the_look_ahead_covers_the_rest(
    network: BasicVSRInference, length: int
) -> None:
    scene = torch.rand(6, 3, 12, 16)
    whole = network(scene[None])[0]
    assert _difference(_run(network, scene, length, ahead=4), whole) < 1e-5
    assert _difference(_run(network, scene, length=2, ahead=1), whole) > 1e-4


@torch.no_grad()
def test_scenes_know_nothing_of_each_other(network: BasicVSRInference) -> None:
    runner = BidirectionalRunner(network, 3, 2, Ration(None, 1))
    first, second = torch.rand(2, 4, 3, 12, 16)
    list(runner.run(iter(first)))
    made = torch.stack(list(runner.run(iter(second))))
    assert torch.equal(made, _run(network, second, 3, 2))
    joined = _run(network, torch.cat((first, second)), 3, 2)
    assert _difference(joined[4:], made) > 1e-4, "time must matter for this to say anything"
    assert list(runner.run(iter(()))) == []


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 3])
def test_nothing_is_done_twice_but_the_look_ahead(
    network: BasicVSRInference, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: list[int] = []
    steps: list[str] = []
    flows, backward, forward = network.flows, network.step_backward, network.step_forward

    def counted(frames, following):  # type: ignore[no-untyped-def]
        pairs.append(len(frames))
        return flows(frames, following)

    monkeypatch.setattr(network, "flows", counted)
    monkeypatch.setattr(network, "step_backward", lambda *a: steps.append("b") or backward(*a))
    monkeypatch.setattr(network, "step_forward", lambda *a: steps.append("f") or forward(*a))
    _run(network, torch.rand(11, 3, 12, 16), 4, 2, Ration(None, batch))
    assert sum(pairs) == 10 and max(pairs) == batch
    # 0 to 5, 4 to 9, 8 to 10.
    assert (steps.count("b"), steps.count("f")) == (6 + 6 + 3, 11)


@torch.no_grad()
def test_takes_a_chunk_and_its_look_ahead_and_no_more(network: BasicVSRInference) -> None:
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield torch.rand(3, 8, 8)

    results = BidirectionalRunner(network, 4, 2, Ration(None, 1)).run(endless())
    for index in range(5):
        next(results)
        assert taken == index // 4 * 4 + 6


@torch.no_grad()
def test_tiles_of_the_whole_reach_change_nothing(network: BasicVSRInference) -> None:
    """However far the flow leads: only a step is made of tiles."""
    assert halo_of(network.spec, 32) == network.spec.reach
    scene = torch.rand(4, 3, 32, 72)
    expected = _run(network, scene, 3, 2)
    assert _difference(_run(network, scene, 3, 2, Ration(32, 1)), expected) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("part", ["flows", "align", "step_backward", "step_forward"])
def test_out_of_memory_goes_on_with_what_it_has(
    network: BasicVSRInference, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First there is too little for two frames at once, then for whole pictures."""
    scene = torch.rand(4, 3, 20, 72)
    expected = _run(network, scene, 2, 1)
    original = getattr(network, part)
    ration = Ration(None, 2)
    calls = 0

    def limited(*maps):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        tiled = part in ("step_backward", "step_forward")
        if calls > 1 and (ration.batch > 1 or (tiled and maps[0].shape[-1] == 72)):
            raise torch.OutOfMemoryError("out of memory")
        return original(*maps)

    monkeypatch.setattr(network, part, limited)
    made = _run(network, scene, 2, 1, ration)
    assert ration.shrunk and ration.batch == 1
    assert _difference(made, expected) < 1e-5
