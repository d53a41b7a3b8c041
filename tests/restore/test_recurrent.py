"""The recurrent strategy, against the network's own forward over the scene."""

from __future__ import annotations

import pytest
import torch
from models import tiny

from vsrcli.networks.stfan import STFAN
from vsrcli.networks.stfan_inference import STFANInference
from vsrcli.restore.ration import Ration
from vsrcli.restore.recurrent import RecurrentRunner


@pytest.fixture(scope="module")
def network() -> STFANInference:
    plain = tiny("stfan")
    assert isinstance(plain, STFAN)
    return STFANInference(plain)


def _run(
    network: STFANInference, scene: torch.Tensor, ration: Ration | None = None
) -> torch.Tensor:
    return torch.stack(list(RecurrentRunner(network, ration or Ration(None, 1)).run(iter(scene))))


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_scene_is_one_run_of_the_network(
    network: STFANInference, length: int, batch: int
) -> None:
    """However many frames are encoded ahead."""
    scene = torch.rand(length, 3, 12, 16)
    made = _run(network, scene, Ration(None, batch))
    assert (made - network(scene[None])[0]).abs().max() < 1e-5


@torch.no_grad()
def test_scenes_begin_anew(network: STFANInference) -> None:
    scenes = torch.rand(2, 4, 3, 12, 16)
    apart = _run(network, scenes[1])
    joined = _run(network, scenes.flatten(0, 1))
    assert (joined[4:] - apart).abs().max() > 1e-4, "the state must matter"
    runner = RecurrentRunner(network, Ration(None, 1))
    after = [list(runner.run(iter(scene))) for scene in scenes][1]
    assert torch.equal(torch.stack(after), apart)


@torch.no_grad()
def test_tiles_share_one_state(network: STFANInference) -> None:
    """Each step is made of tiles, so that the result does not drift from the untiled one."""
    tile = 3 * network.spec.reach
    scene = torch.rand(4, 3, 32, 2 * tile // 4 * 4)
    made = _run(network, scene, Ration(tile, 1))
    assert (made - _run(network, scene)).abs().max() < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("fails_at", [0, 2])
def test_out_of_memory_goes_on_with_the_state_it_has(
    network: STFANInference, fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = torch.rand(4, 3, 160, 32)
    expected = _run(network, scene)
    original = network.step
    steps = 0

    def limited(frame, encoded, state):  # type: ignore[no-untyped-def]
        nonlocal steps
        steps += 1
        if steps > fails_at and frame.shape[-2] == 160:
            raise torch.OutOfMemoryError("out of memory")
        return original(frame, encoded, state)

    monkeypatch.setattr(network, "step", limited)
    ration = Ration(None, 2)
    runner = RecurrentRunner(network, ration)
    made = torch.stack(list(runner.run(iter(scene))))
    assert ration.shrunk and ration.batch == 1
    assert (made - expected).abs().max() < 0.5 / 255
