"""What the networks are trained to do: batches, losses, stages."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_recipes import TINY, equal, take_step
from torch import Tensor, nn

from vsrcli.errors import UsageError
from vsrcli.networks.spec import Maps
from vsrcli.networks.spmc import SPMC
from vsrcli.networks.stdan import STDAN
from vsrcli.networks.stfan import STFAN, STFANState
from vsrcli.networks.tga import TGA
from vsrcli.ops.warp import warp
from vsrcli.ops.ycbcr import rgb_to_luma
from vsrcli.training import objectives
from vsrcli.training.batches import Batch
from vsrcli.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.losses import Loss, charbonnier, difference, flow_error
from vsrcli.training.objectives import Pair, objective_of
from vsrcli.training.recipes import Stage
from vsrcli.training.state import Training

CPU = torch.device("cpu")


@pytest.fixture
def moving() -> TrainingSet:
    """Film of a smooth pattern that moves by two pixels a frame, and a picture of it."""
    random = torch.Generator().manual_seed(4)
    coarse = torch.rand(1, 3, 40, 40, generator=random)
    pattern = F.interpolate(coarse, scale_factor=10, mode="bicubic").clamp(0, 1)[0]
    film = [pattern[:, :SIZE, 2 * t : 2 * t + SIZE] for t in range(FRAMES)]
    codes = (torch.stack(film) * 255).to(torch.uint8)
    return TrainingSet(codes[None], ((pattern * 255).to(torch.uint8),))


@pytest.fixture
def numbered() -> TrainingSet:
    """Film whose every frame is flat: gray 10 * number of the clip + number of the frame."""
    codes = 10 * torch.arange(3)[:, None] + torch.arange(FRAMES)
    film = codes[:, :, None, None, None].expand(3, FRAMES, 3, SIZE, SIZE).to(torch.uint8)
    return TrainingSet(film, ())


def first_batch(name: str, data: TrainingSet, count: int, share: float = 0.7) -> Pair:
    """From film alone, for when `share` of the budget is spent."""
    objective = objective_of(replace(TINY[name], moved_share=0, batch=count), data)
    return objective.batch(torch.Generator().manual_seed(1), share)


def luma_codes(pictures: Tensor) -> Tensor:
    """Luma (..., 1, H, W) of flat gray pictures -> their codes (...)."""
    return ((pictures[..., 0, 0, 0] * 255 - 16) / 219 * 255).round()


@pytest.mark.parametrize(
    "name, share",
    [("tga", 0.5), ("fstrn", 0.5)]
    + [("stfan", share) for share in (0.05, 0.2, 0.8)]
    + [("spmc", share) for share in (0.05, 0.2, 0.5, 0.8)]
    + [("stdan", share) for share in (0.05, 0.2, 0.65, 0.8)],
)
def test_loss_falls(moving: TrainingSet, name: str, share: float) -> None:
    training = Training(replace(TINY[name], peak_rate=2e-3), CPU)
    # On this film interpolation is right, which is how these two begin.
    if name == "spmc":
        nn.init.constant_(training.network.srmodel.dec3.bias, 0.1)
    elif name == "stdan":
        nn.init.constant_(training.network.conv_last.bias, 0.6)
    objective = objective_of(training.recipe, moving)
    same = Batch(objective.batch(torch.Generator().manual_seed(0), share), share)
    # What was blurred is restored slowly, and STDAN's first steps go too far.
    steps = 30 if name in ("stfan", "stdan") else 12
    losses = [float(training.train_step(objective, same)) for _ in range(steps)]
    assert np.mean(losses[-2:]) < 0.98 * losses[0], losses


def test_tga_is_to_make_the_middle_frame(numbered: TrainingSet) -> None:
    given, wanted, _ = first_batch("tga", numbered, 8)
    assert given.shape == (8, FRAMES, 3, 8, 8)
    torch.testing.assert_close(given[:, 3, :, 0, 0], wanted[:, :, 0, 0])


def test_fstrn_is_to_make_the_luma_of_all_frames(numbered: TrainingSet) -> None:
    given, wanted, _ = first_batch("fstrn", numbered, 8)
    assert given.shape == (8, FRAMES, 1, 8, 8)
    assert wanted.shape == (8, FRAMES, 1, 32, 32)
    assert torch.equal(luma_codes(given), luma_codes(wanted))
    assert (luma_codes(wanted).diff().abs() == 1).all()


def test_spmc_is_to_make_the_middle_of_windows_from_anywhere(numbered: TrainingSet) -> None:
    given, wanted, _ = first_batch("spmc", numbered, 64)
    assert given.shape == (64, 3, 1, 16, 16)
    assert wanted.shape == (64, 1, 32, 32)
    codes = luma_codes(given)
    assert (codes.diff().abs() == 1).all()
    assert torch.equal(codes[:, 1], luma_codes(wanted))
    assert set((codes[:, 1] % 10).tolist()) == {1, 2, 3, 4, 5}


def test_stdan_is_to_make_all_frames_from_every_second(numbered: TrainingSet) -> None:
    """Of clips of several lengths."""
    objective = objective_of(replace(TINY["stdan"], batch=4, moved_share=0), numbered)
    random = torch.Generator().manual_seed(1)
    lengths = set()
    for _ in range(12):
        given, wanted, _ = objective.batch(random, 0.9)
        frames = wanted.shape[1]
        lengths.add(frames)
        assert given.shape == (4, (frames + 1) // 2, 3, 8, 8)
        assert wanted.shape == (4, frames, 3, 32, 32)
        torch.testing.assert_close(given[..., 0, 0], wanted[:, ::2, :, 0, 0])
        assert ((wanted * 255).round()[:, :, 0, 0, 0].diff().abs() == 1).all()
    assert lengths == {3, 5, 7}


def test_stdan_is_first_to_enlarge_single_frames(numbered: TrainingSet) -> None:
    given, wanted, _ = first_batch("stdan", numbered, 8, share=0.2)
    assert given.shape == (8, 1, 3, 8, 8)
    assert wanted.shape == (8, 1, 3, 32, 32)
    torch.testing.assert_close(given[..., 0, 0], wanted[..., 0, 0])


def test_stdan_learns_from_a_teachers_pictures_too(moving: TrainingSet) -> None:
    """Of single frames, in the first stage; what they are is known by showing one seven times."""
    teacher = Training(TINY["tga"], CPU).network.eval()
    nn.init.normal_(teacher.conv3d_r3.weight, std=0.1)
    alone, taught = (
        objective_of(TINY["stdan"], moving),
        objective_of(TINY["stdan"], moving, teacher),
    )
    network = Training(TINY["stdan"], CPU).network
    pair = alone.batch(torch.Generator().manual_seed(0), 0.2)
    shown = teacher(pair.given.expand(-1, FRAMES, -1, -1, -1)).detach()
    by_truth, by_teacher = (
        alone.loss(network, pair._replace(wanted=it), 0.2).item() for it in (pair.wanted, shown)
    )
    assert by_teacher > 1.2 * by_truth
    loss = taught.loss(network, pair, 0.2)
    assert loss.item() == pytest.approx(0.25 * by_truth + 0.75 * by_teacher, rel=1e-4)
    loss.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_teachers_that_none_learns_from_are_refused(moving: TrainingSet) -> None:
    fstrn, tga = (Training(TINY[name], CPU).network for name in ("fstrn", "tga"))
    with pytest.raises(UsageError, match="Only STDAN"):
        objective_of(TINY["fstrn"], moving, tga)
    with pytest.raises(UsageError, match="only from a TGA"):
        objective_of(TINY["stdan"], moving, fstrn)
    for recipe in (replace(TINY["stdan"], joint=True), replace(TINY["stdan"], first_share=0)):
        with pytest.raises(UsageError, match="leave out --joint"):
            objective_of(recipe, moving, tga)


_ALONE = {"conv_first", "feature_extraction", "feature_recon", "conv_before_upsample"}
_ALONE |= {"upsample", "conv_last"}
_BETWEEN = {"pcd_align_modified", "fusion_f_b"}
_TOGETHER = {*_BETWEEN, "stdfa", *(f"fea_L{level}_conv{n}" for level in (2, 3) for n in (1, 2))}


@pytest.mark.parametrize(
    "first, share, learn",
    [
        (0.55, 0.2, _ALONE),
        (0.55, 0.58, _BETWEEN),
        (0.55, 0.8, _TOGETHER),
        (1.0, 0.99, _ALONE),
        (0.0, 0.0, _BETWEEN),
        (0.0, 0.2, _TOGETHER),
    ],
)
def test_stdan_stages_teach_parts(
    moving: TrainingSet, first: float, share: float, learn: set[str]
) -> None:
    recipe = replace(TINY["stdan"], first_share=first)
    training = Training(recipe, CPU)
    objective = objective_of(recipe, moving)
    for _ in range(2):  # what begins at zero lets gradients through afterwards
        take_step(training, objective, share)
    learnt = {
        name.split(".")[0]
        for name, parameter in training.network.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }
    assert learnt == learn


def test_right_features_between_frames_have_no_loss(moving: TrainingSet) -> None:
    """Also in another unit."""
    objective = objective_of(TINY["stdan"], moving)
    pair = objective.batch(torch.Generator().manual_seed(0), 0.58)

    class Known(STDAN):
        """It knows the missing frames' features, but for `error` standard deviations."""

        error = 0.0

        def features_between(self, features: Sequence[Maps]) -> list[Tensor]:
            true = self.frame_features(pair.given[:, 1::2].flatten(0, 1))[0].float()
            wrong = true + self.error * true.std()
            return list(wrong.unflatten(0, (len(pair.given), -1)).unbind(1))

    network = Known(TINY["stdan"].network)
    assert objective.loss(network, pair, 0.58).item() < 1e-5
    network.error = 0.25
    assert objective.loss(network, pair, 0.58).item() == pytest.approx(0.25, rel=1e-4)


def test_stdan_is_taught_by_a_given_and_a_new_frame(moving: TrainingSet) -> None:
    objective = objective_of(TINY["stdan"], moving)
    pair = Pair(torch.rand(2, 4, 3, 8, 8), torch.rand(2, 7, 3, 32, 32))
    asked: set[tuple[int, ...]] = set()

    class Knowing(STDAN):
        """It knows what is wanted."""

        def forward(self, frames: Tensor, wanted: Sequence[int] | None = None) -> Tensor:
            assert wanted is not None
            asked.add(tuple(wanted))
            return pair.wanted[:, list(wanted)]

    network = Knowing(TINY["stdan"].network)
    for step in range(60):
        torch.manual_seed(step)
        assert objective.loss(network, pair, 0.8).item() < 2e-3
    assert {given for given, _ in asked} == {0, 2, 4, 6}
    assert {new for _, new in asked} == {1, 3, 5}


@pytest.mark.parametrize(
    "share, learns", [(0.05, {"easyflow"}), (0.2, {"srmodel"}), (0.8, {"easyflow", "srmodel"})]
)
def test_spmc_stages_freeze_the_other_part(
    moving: TrainingSet, share: float, learns: set[str]
) -> None:
    training = Training(TINY["spmc"], CPU)
    objective = objective_of(TINY["spmc"], moving)
    for before in (0.05, 0.2):  # both parts have a momentum that must not move them on
        take_step(training, objective, before)
    old = {key: value.clone() for key, value in training.network.state_dict().items()}
    take_step(training, objective, share)
    moved = {
        key.split(".")[0]
        for key, value in training.network.state_dict().items()
        if not torch.equal(value, old[key])
    }
    assert moved == learns


def test_later_steps_of_spmc_count_more(moving: TrainingSet) -> None:
    class Known(SPMC):
        """Its steps are off by 0.1, 0.2 and 0.3."""

        def steps(self, luma: Tensor, flows: Tensor) -> Tensor:
            errors = torch.tensor([0.1, 0.2, 0.3])[None, :, None, None, None]
            return errors.expand(len(luma), -1, 1, 32, 32)

    pair = Pair(torch.rand(2, 3, 1, 16, 16), torch.zeros(2, 1, 32, 32))
    objective = objective_of(replace(TINY["spmc"], charbonnier=0.0), moving)
    fusion = (0.5 * 0.1 + 0.75 * 0.2 + 1.0 * 0.3) / 2.25
    for share in (0.2, 0.8):
        found = objective.loss(Known(TINY["spmc"].network), pair, share)
        assert found.item() == pytest.approx(fusion)


def test_flow_error_counts_where_the_truth_stays_inside() -> None:
    truth = torch.zeros(1, 2, 4, 6)
    truth[:, 0] = 2  # from the last two columns it leads outside
    flow = truth.clone()
    flow[..., 4:] = 99
    assert flow_error(flow, truth).item() == 0
    flow[0, 1, 2, 3] = 8
    assert flow_error(flow, truth).item() == pytest.approx(8 / (2 * 4 * 4))


def unlike(picture: Tensor, target: Tensor, flow: Tensor) -> float:
    """Mean difference of pictures (N, 1, H, W) from `target` read along the flow, where it stays in
    the frame."""
    line = torch.arange(flow.shape[-1])
    places = torch.stack((flow[:, 0] + line, flow[:, 1] + line[:, None]), 1)
    inside = ((places >= 0) & (places <= len(line) - 1)).all(1, keepdim=True)
    return float((picture - warp(target, flow))[inside].abs().mean())


@pytest.mark.parametrize("stage", [0.05, 0.9])
def test_spmc_knows_the_flow(moving: TrainingSet, stage: float) -> None:
    objective = objective_of(replace(TINY["spmc"], batch=8), moving)
    pair = objective.batch(torch.Generator().manual_seed(3), stage)
    luma, flows = pair.given, pair.wanted if stage < 0.1 else pair.motion
    assert flows is not None
    assert luma.shape == (8, 3, 1, 16, 16)
    assert flows.shape == (8, 3, 2, 16, 16)
    assert flows[:, 1].abs().max() < 1e-5
    for index in (0, 2):
        window = luma[:, index], luma[:, 1]
        found, still, other = (unlike(*window, sign * flows[:, index]) for sign in (1, 0, -1))
        assert found < 0.25 * still < 0.25 * other


def test_some_samples_of_spmc_are_carried_along_the_true_flow(moving: TrainingSet) -> None:
    class Known(SPMC):
        """It estimates a flow of 1, and is as wrong as the flow along which it is asked to go."""

        def estimate_flows(self, luma: Tensor) -> Tensor:
            return luma.new_ones(len(luma), 3, 2, *luma.shape[-2:])

        def steps(self, luma: Tensor, flows: Tensor) -> Tensor:
            assert (flows[:, :, :1] == flows[:, :, 1:]).all()
            return F.interpolate(flows[:, :, 0], (32, 32))[:, :, None]

    recipe = replace(TINY["spmc"], charbonnier=0.0)
    given, middle = torch.zeros(1000, 3, 1, 16, 16), torch.zeros(1000, 1, 32, 32)
    pair = Pair(given, middle, torch.full((1000, 3, 2, 16, 16), 4.0))
    network = Known(TINY["spmc"].network)
    torch.manual_seed(0)
    # Six in ten samples are wrong by 4, the others by 1.
    found = objective_of(recipe, moving).loss(network, pair, 0.2).item()
    assert found == pytest.approx(0.6 * 4 + 0.4 * 1, abs=0.15)
    # Later what is estimated counts by its own error too.
    torch.manual_seed(0)
    joint = objective_of(recipe, moving).loss(network, pair, 0.8).item()
    assert joint == pytest.approx(found + 0.03 * 3)


SIGHT = {"kconv1_1", "kconv2_1", "kconv3_1"}
FILTERS = {"conv1_1", "conv2_1", "conv3_1", "fac_deblur", "upconv2_u", "upconv1_u"}
STFAN_STAGES = [(0.05, SIGHT), (0.2, FILTERS), (0.5, SIGHT | FILTERS)]


@pytest.mark.parametrize("share, learns", STFAN_STAGES, ids=["sight", "filters", "both"])
def test_stages_of_stfan(moving: TrainingSet, share: float, learns: set[str]) -> None:
    training = Training(TINY["stfan"], CPU)
    take_step(training, objective_of(TINY["stfan"], moving), share)
    learnt = {
        name.split(".")[0]
        for name, value in training.network.named_parameters()
        if value.grad is not None and value.grad.any()
    }
    residual = {name for name in learnt if name.endswith(("_2", "_3"))}
    assert learnt - residual == learns
    assert all(name.startswith("kconv") for name in residual)


def test_last_stage_of_stfan_trains_everything(moving: TrainingSet) -> None:
    training = Training(replace(TINY["stfan"], peak_rate=1e-2), CPU)
    for _ in range(4):  # what begins at zero lets gradients through afterwards
        take_step(training, objective_of(TINY["stfan"], moving), 0.9)
    silent = [n for n, p in training.network.named_parameters() if not p.grad.any()]
    assert silent == []


class Seeing(STFAN):
    """It sees a smear of 1 everywhere, is as wrong as the smear that its filters get, and keeps
    what it was shown last."""

    shown: tuple[Tensor, Tensor, Tensor]

    def look(self, frame: Tensor, before: Tensor, restored: Tensor) -> Tensor:
        self.shown = frame, before, restored
        return frame.new_ones(len(frame), 8, 1, 1)

    def step(
        self,
        frame: Tensor,
        encoded: Tensor,
        state: STFANState | None,
        seen: Tensor | None = None,
    ) -> tuple[Tensor, STFANState]:
        assert seen is not None
        made = seen[:, :1].expand_as(frame)
        return made, STFANState(frame, made, encoded)


def test_some_samples_of_stfan_are_told_the_smear(moving: TrainingSet) -> None:
    network = Seeing(TINY["stfan"].network)
    smears = torch.full((1000, 2, 5), 4.0)
    # What blur changed is half of what makes an error of the smear count in full.
    pair = Pair(torch.full((1000, 2, 3, 4, 4), 3 / 255), torch.zeros(1000, 2, 3, 4, 4), smears)
    objective = objective_of(replace(TINY["stfan"], charbonnier=0.0), moving)
    torch.manual_seed(0)
    # Three in twenty samples are wrong by 4, the others by 1; all see a smear that is wrong by 3.
    found = objective.loss(network, pair, 0.8).item()
    assert found == pytest.approx(0.15 * 4 + 0.85 * 1 + 0.003 * 0.5 * 3, abs=0.1)
    assert objective.loss(network, pair, 0.05).item() == pytest.approx(0.5 * 3)


def test_third_stage_of_stfan_is_shown_what_a_video_shows(
    moving: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Seeing(TINY["stfan"].network)
    frames = torch.rand(2, 3, 3, 24, 24)
    pair = Pair(frames, frames, torch.zeros(2, 3, 5))
    monkeypatch.setattr(objectives, "restored_alone", lambda _, given, seen: 1 - given)
    objective_of(TINY["stfan"], moving).loss(network, pair, 0.5)
    frame, before, restored = (x.unflatten(0, (2, 3)) for x in network.shown)
    assert torch.equal(frame, frames)
    assert torch.equal(before, frames[:, [0, 0, 1]])
    # At the beginning three times the same.
    assert torch.equal(restored[:, 0], frames[:, 0])
    assert torch.equal(restored[:, 1:], 1 - frames[:, :2])


def test_third_stage_of_stfan_tells_some_frames_the_smear(
    moving: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Seeing(TINY["stfan"].network)
    pair = Pair(
        torch.zeros(500, 2, 3, 24, 24), torch.zeros(500, 2, 3, 24, 24), torch.full((500, 2, 5), 4.0)
    )
    # As wrong as the smear that the filters get.
    monkeypatch.setattr(
        objectives, "restored_alone", lambda _, given, seen: seen[:, :1].expand_as(given)
    )
    torch.manual_seed(0)
    found = objective_of(replace(TINY["stfan"], charbonnier=0.0), moving).loss(network, pair, 0.5)
    assert found.item() == pytest.approx(0.15 * 4 + 0.85 * 1, abs=0.1)


def test_stfan_sees_clips_of_unknown_motion_in_the_end(moving: TrainingSet) -> None:
    objective = objective_of(TINY["stfan"], moving)
    random = torch.Generator().manual_seed(1)
    for share, least, most in ((0.05, 30, 30), (0.2, 30, 30), (0.5, 30, 30), (0.9, 10, 28)):
        known = sum(objective.batch(random, share).motion is not None for _ in range(30))
        assert least <= known <= most


def test_cameras_of_the_first_stage_are_as_slow_as_the_recipe_says(moving: TrainingSet) -> None:
    speeds = []
    for share in (0.0, 1.0):
        recipe = replace(TINY["spmc"], batch=32, slow_share=share)
        _, flows, _ = objective_of(recipe, moving).batch(torch.Generator().manual_seed(3), 0.05)
        speeds.append(float(flows[:, ::2].norm(dim=2).mean()))
    assert speeds[1] < 0.5 * speeds[0]


@pytest.mark.parametrize(
    "share, learning",
    [(0.55, {"easyflow"}), (0.65, {"srmodel"}), (0.75, {"easyflow", "srmodel"})],
)
def test_flow_is_taught_for_as_long_as_the_recipe_says(
    moving: TrainingSet, share: float, learning: set[str]
) -> None:
    recipe = replace(TINY["spmc"], first_share=0.6)
    training = Training(recipe, CPU)
    for _ in range(2):  # what begins at zero lets gradients through afterwards
        take_step(training, objective_of(recipe, moving), share)
    parts = training.network.named_parameters()
    learnt = {name.split(".")[0] for name, value in parts if value.grad is not None}
    assert learnt == learning


@pytest.mark.parametrize("name", ["spmc", "stdan", "stfan"])
def test_joint_training_has_no_stages(moving: TrainingSet, name: str) -> None:
    recipe = replace(TINY[name], joint=True)
    objective = objective_of(recipe, moving)
    early, late = (
        objective.batch(torch.Generator().manual_seed(3), share) for share in (0.05, 0.9)
    )
    assert equal(early, late)
    training = Training(recipe, CPU)
    old = {key: value.clone() for key, value in training.network.named_parameters()}
    for _ in range(2):  # what begins at zero lets gradients through afterwards
        take_step(training, objective, 0.05)
    new = dict(training.network.named_parameters())
    moved = {key.split(".")[0] for key, value in old.items() if not value.equal(new[key])}
    assert moved == {key.split(".")[0] for key in old}


def test_charbonnier_of_known_errors() -> None:
    restored = torch.tensor([0.0, 0.003])
    value = charbonnier(restored, torch.zeros(2), 0.004)
    assert value.item() == pytest.approx((0.004 + 0.005) / 2, rel=1e-6)


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("charbonnier", (math.sqrt(0.001**2 + 1e-6) + math.sqrt(0.2**2 + 1e-6)) / 2),
        ("l1", (0.001 + 0.2) / 2),
        ("mse", (0.001**2 + 0.2**2) / 2),
        # Half the square over delta, and beyond it the error without half of delta.
        ("huber", (0.5 * 0.001**2 / (4 / 255) + 0.2 - 0.5 * 4 / 255) / 2),
    ],
)
def test_losses_of_known_errors(kind: Loss, expected: float) -> None:
    value = difference(torch.tensor([0.501, 0.3]), torch.full((2,), 0.5), kind, 1e-3)
    assert value.item() == pytest.approx(expected, rel=1e-3)


def test_recipes_choose_the_loss(moving: TrainingSet) -> None:
    class Black(TGA):
        """Restores nothing."""

        def forward(self, frames: Tensor) -> Tensor:
            return torch.zeros(len(frames), 1, 3, 32, 32)

    recipe = replace(TINY["tga"], loss="mse")
    pair = Pair(torch.zeros(2, 7, 3, 8, 8), torch.full((2, 3, 32, 32), 0.25))
    loss = objective_of(recipe, moving).loss(Black(recipe.network), pair, 0.5)
    assert loss.item() == pytest.approx(0.25**2)


def test_samples_grow_in_stages(moving: TrainingSet) -> None:
    recipe = replace(TINY["fstrn"], growth=(Stage(0.25, 4, 6), Stage(0.5, 6, 5)))
    objective = objective_of(recipe, moving)
    for share, batch, side in ((0.0, 6, 4), (0.24, 6, 4), (0.25, 5, 6), (0.5, 2, 8), (1.0, 2, 8)):
        pair = objective.batch(torch.Generator().manual_seed(0), share)
        assert pair.given.shape == (batch, FRAMES, 1, side, side)
        assert pair.wanted.shape == (batch, FRAMES, 1, 4 * side, 4 * side)


@pytest.mark.parametrize("name", ["tga", "fstrn"])
def test_everyday_video_is_made_of_the_truth(moving: TrainingSet, name: str) -> None:
    recipe = replace(TINY[name], degradation="real", batch=6, patch=24)
    objective = objective_of(recipe, moving)
    first, again = (objective.batch(torch.Generator().manual_seed(1), 0.5) for _ in range(2))
    assert equal(first, again)
    plain = objective_of(replace(recipe, degradation="bi"), moving)
    given, wanted, _ = plain.batch(torch.Generator().manual_seed(1), 0.5)
    assert torch.equal(first.wanted, wanted)
    assert first.given.shape == given.shape
    compressed, small, other = first.given.flatten(), given.flatten(), given.roll(1, 0).flatten()
    likeness = torch.corrcoef(torch.stack((compressed, small, other)))[0]
    assert 0.8 < likeness[1] < 0.9999
    assert likeness[2] < 0.5


def test_luma_of_the_objectives_is_video_range() -> None:
    white = rgb_to_luma(torch.ones(1, 3, 2, 2))
    torch.testing.assert_close(white, torch.full((1, 1, 2, 2), 235 / 255))


@pytest.mark.parametrize("name", list(TINY))
def test_resumed_training_goes_on_to_the_bit(moving: TrainingSet, name: str) -> None:
    # SPMC changes its stage on the way; STDAN leaves blocks out at random.
    shares = (0.05, 0.2, 0.3, 0.8)
    objective = objective_of(TINY[name], moving)
    whole = Training(TINY[name], CPU)
    for share in shares:
        take_step(whole, objective, share)

    begun = Training(TINY[name], CPU)
    for share in shares[:2]:
        take_step(begun, objective, share)
    stored = io.BytesIO()
    torch.save(begun.state(), stored)
    stored.seek(0)
    torch.rand(7)
    resumed = Training(TINY[name], CPU, seed=5)
    resumed.restore(torch.load(stored, weights_only=True))
    for share in shares[2:]:
        take_step(resumed, objective, share)

    assert resumed.step == whole.step
    for part in ("network", "average"):
        expected, found = whole.state()[part], resumed.state()[part]
        assert all(torch.equal(found[key], value) for key, value in expected.items()), part


@pytest.mark.cuda
@pytest.mark.parametrize("name", list(TINY))
def test_trains_on_a_card(moving: TrainingSet, name: str, tmp_path: Path) -> None:
    card = torch.device("cuda")
    training = Training(TINY[name], card)
    objective = objective_of(TINY[name], moving.on(card))
    for share in (0.05, 0.2, 0.8):
        assert torch.isfinite(take_step(training, objective, share))
    save_checkpoint(training.state(), tmp_path / CHECKPOINT)
    resumed = Training(TINY[name], card)
    resumed.restore(load_checkpoint(tmp_path / CHECKPOINT))
    assert torch.isfinite(take_step(resumed, objective, 0.9))
    for key, value in resumed.average.state_dict().items():
        assert value.isfinite().all(), key
