"""Swin windows, and the block and branch against the authors' network."""

from __future__ import annotations

import pytest
import torch
from parity import load_fixture
from parity_fill import uniform

from vsrcli.networks.swin import SwinBlock, SwinBranch, windows_of

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [(8, 8), (8, 24), (16, 16)])
@pytest.mark.parametrize("shift", [0, 4])
def test_windows_join_neighbors_only(size: tuple[int, int], shift: int) -> None:
    """Every token is in one window, and sees those of it that are near in the map."""
    height, width = size
    windows = windows_of(height, width, 8, shift, CPU)
    assert torch.equal(windows.order[windows.back], torch.arange(height * width))
    tokens = windows.order.reshape(-1, 64)
    y, x = tokens // width, tokens % width
    near = (y[:, :, None] - y[:, None]).abs().maximum((x[:, :, None] - x[:, None]).abs()) < 8
    sees = torch.ones_like(near)
    if windows.mask is not None:
        sees[windows.plain :] = windows.mask[:, 0] == 0
    unshifted = (y // 8 == y[:, :1] // 8).all() and (x // 8 == x[:, :1] // 8).all()
    assert bool(unshifted) == (shift == 0 or size == (8, 8))
    if shift == 0 or min(size) > 8:  # else the two ends of the map are near each other
        assert torch.equal(sees, near)


def test_map_must_divide_into_windows() -> None:
    with pytest.raises(ValueError, match="12x16"):
        windows_of(12, 16, 8, 4, CPU)


@pytest.fixture(params=[False, True], ids=["inference", "training"])
def graph(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    with torch.set_grad_enabled(request.param):
        yield


@pytest.mark.usefixtures("graph")
def test_equals_the_authors() -> None:
    """A shifted block on a 16x16 map and a whole branch on an 8x16 map."""
    fixture = load_fixture("stdan")
    branch = SwinBranch(64, 72, heads=6, side=8, groups=2, blocks=6).eval()
    prefix = "feature_extraction."
    names = branch.state_dict().keys()
    branch.load_state_dict({name: fixture.state[prefix + name] for name in names})
    block = branch.layers[0].residual_group["blocks"][1]
    assert isinstance(block, SwinBlock)
    cases = fixture.meta["modules"]["list"]

    def given(case: str) -> torch.Tensor:
        entry = cases[case]["inputs"]["x"]
        return torch.from_numpy(uniform(entry["uniform_name"], tuple(entry["shape"]))).float()

    tolerance = fixture.meta["tolerance"]["modules_max_abs"]
    made = block(given("swin_shifted"), 16, 16)
    assert (made - fixture["mod/swin_shifted/out"]).abs().max() < tolerance
    made = branch(given("decoder"))
    assert (made - fixture["mod/decoder/out"]).abs().max() < tolerance


def test_stochastic_depth_keeps_the_mean() -> None:
    block = SwinBlock(8, 2, side=8, shift=0, drop=0.5).train()
    torch.manual_seed(0)
    made = block._kept(torch.ones(4000, 1, 1))
    assert set(made.unique().tolist()) == {0.0, 2.0}
    assert abs(float(made.mean()) - 1) < 0.05
    assert torch.equal(block.eval()._kept(torch.ones(3, 1, 1)), torch.ones(3, 1, 1))


def test_branch_drops_more_and_more() -> None:
    branch = SwinBranch(4, 8, heads=2, side=8, groups=2, blocks=3)
    drops = [block.drop for group in branch.layers for block in group.residual_group["blocks"]]
    assert drops == pytest.approx([0, 0.02, 0.04, 0.06, 0.08, 0.1])


def test_windows_made_for_inference_serve_training() -> None:
    windows_of.cache_clear()
    block = SwinBlock(8, 2, side=8, shift=4, drop=0)
    with torch.inference_mode():
        block(torch.rand(1, 128, 8), 8, 16)
    block(torch.rand(1, 128, 8), 8, 16).sum().backward()
    assert block.attn.qkv.weight.grad is not None
