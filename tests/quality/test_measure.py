"""The scores of single frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from vsrcli.quality import measure
from vsrcli.quality.clips import Clip
from vsrcli.quality.measure import score_pictures, score_video
from vsrcli.quality.metrics import psnr, psnr_y, ssim_y
from vsrcli.quality.temporal import flicker, flow_error
from vsrcli.quality.trials import Trial, trial
from vsrcli.quality.vmaf import Vmaf


def tried(task: str = "upscale", frames: int = 5) -> Trial:
    """A clip of 40x48, to be enlarged twice; frames 2 to 4 count."""
    truth = (255 * torch.rand(frames, 3, 40, 48)).round() / 255
    return trial(Clip("a", truth), task, lambda x: x[..., ::2, ::2], range(1, 4))  # type: ignore[arg-type]


def enlarged(given: Tensor) -> Tensor:
    return given.repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_every_frame_has_its_scores() -> None:
    each = tried()
    restored = enlarged(each.given)
    scores = score_video(enlarged, each, border=4)
    assert [score.frame for score in scores] == [2, 3, 4]
    with Vmaf(48, 40) as vmaf:
        for pair in zip(restored, each.truth, strict=True):
            vmaf.add(*pair)
        vmafs = vmaf.scores()
    for score in scores:
        now, before = (
            torch.stack((restored[i], each.truth[i])) for i in (score.frame - 1, score.frame - 2)
        )
        assert score.part == "all"
        assert score.psnr_y == float(psnr_y(*now, border=4))
        assert score.psnr_rgb == float(psnr(*now, border=4))
        assert score.ssim_y == float(ssim_y(*now, border=4))
        assert score.vmaf == vmafs[score.frame - 1]
        assert score.tof == pytest.approx(float(flow_error(before, now, border=4)))
        assert score.flicker == pytest.approx(float(flicker(before, now, border=4)))


def test_the_first_frame_has_none_before_it() -> None:
    first, second, *_ = score_video(enlarged, replace(tried(), scored=range(3)))
    assert first.tof is None and first.flicker is None and first.vmaf is not None
    assert second.tof is not None and second.flicker is not None


def test_pictures_alone_need_no_neighbors() -> None:
    each = tried()
    video = score_video(enlarged, each)
    pictures = score_pictures(enlarged, each)
    assert pictures == [replace(s, vmaf=None, tof=None, flicker=None) for s in video]


def test_pictures_are_scored_as_8_bits_hold_them() -> None:
    each = tried()

    def nearly(given: Tensor) -> Iterator[Tensor]:
        for truth in each.truth:
            yield (truth + 0.4 / 255).half()

    assert all(score.psnr_rgb == torch.inf for score in score_pictures(nearly, each))


def test_given_and_new_frames_are_told_apart() -> None:
    each = tried("space-time")
    assert [score.part for score in score_pictures(each.plain, each)] == ["new", "given", "new"]


def test_without_libvmaf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "vmaf_is_available", lambda: False)
    assert {score.vmaf for score in score_video(enlarged, tried())} == {None}


def test_pictures_too_small_for_vmaf() -> None:
    each = tried()
    small = replace(each, given=each.given[..., :15, :], truth=each.truth[..., :30, :])
    assert {score.vmaf for score in score_video(enlarged, small)} == {None}


@pytest.mark.cuda
def test_on_a_card() -> None:
    each = tried()
    here = score_video(enlarged, each)
    there = score_video(enlarged, each, device=torch.device("cuda"))
    for ours, theirs in zip(here, there, strict=True):
        assert theirs.psnr_y == pytest.approx(ours.psnr_y, abs=1e-6)
        assert theirs.vmaf == pytest.approx(ours.vmaf, abs=1e-3)
        assert theirs.tof == pytest.approx(ours.tof, abs=1e-2)
