"""What a comparison agrees on."""

from __future__ import annotations

from zlib import crc32

import pytest
import torch

from vsrcli.degradation.blur import motion_blurred
from vsrcli.degradation.kernels import degrade
from vsrcli.degradation.names import parse
from vsrcli.errors import InputError, UsageError
from vsrcli.quality.clips import Clip
from vsrcli.quality.conventions import Conventions


def clip(frames: int = 9, side: int = 32) -> Clip:
    return Clip("park", torch.rand(frames, 3, side, side))


def test_the_named_kernel_makes_the_input() -> None:
    truth = clip()
    for kind in ("bi", "bd"):
        given = Conventions("upscale", kind, 4).trial(truth).given
        assert given.equal(degrade(truth.frames, kind, 4))  # type: ignore[arg-type]


def test_random_degradations_are_drawn_by_the_name_of_the_clip() -> None:
    truth = clip(3, 64)
    given = Conventions("upscale", "real", 2).trial(truth).given
    assert given.equal(parse("real", 2, crc32(b"park"))(truth.frames))
    other = Conventions("upscale", "real", 2).trial(Clip("town", truth.frames)).given
    assert not given.equal(other)


def test_pairs_are_taken_as_they_are() -> None:
    pair = Clip("park", clip().frames, clip().frames)
    tried = Conventions("deblur", "blur", 1).trial(pair)
    assert tried.given is pair.blurred and tried.truth is pair.frames
    assert tried.scored == range(9)


def test_sharp_clips_are_blurred() -> None:
    sharp = clip(9)
    tried = Conventions("deblur", "blur", 1).trial(sharp)
    assert tried.given.equal(motion_blurred(sharp.frames, 7))
    assert tried.truth.equal(sharp.frames[3:6])
    with pytest.raises(InputError, match="park: has fewer than the 7 frames"):
        Conventions("deblur", "blur", 1).trial(clip(6))


@pytest.mark.parametrize(
    ("choice", "counted"),
    [
        ({}, range(9)),
        ({"skip_ends": True}, range(2, 7)),
        ({"first": 4, "last": 6}, range(3, 6)),
        ({"first": 2, "skip_ends": True}, range(2, 7)),
    ],
)
def test_frames_that_count(choice: dict[str, int], counted: range) -> None:
    assert Conventions("upscale", "bi", 4, **choice).trial(clip()).scored == counted  # type: ignore[arg-type]


def test_frames_that_are_not_there() -> None:
    with pytest.raises(InputError, match="park: of 9 frames, 4 to 10 cannot be scored"):
        Conventions("upscale", "bi", 4, first=4, last=10).trial(clip())
    with pytest.raises(InputError, match="1 to 4 cannot be scored without 2 at each end"):
        Conventions("upscale", "bi", 4, skip_ends=True).trial(clip(4))


def test_pictures_too_small_for_ssim() -> None:
    assert Conventions("upscale", "bi", 4).trial(clip(1, 28))
    with pytest.raises(InputError, match="park: 24x24 pixels are too few"):
        Conventions("upscale", "bi", 4).trial(clip(1, 24))


def test_choices_that_make_no_sense() -> None:
    for choice, said in (
        ({"degradation": "jpeg"}, "jpeg"),
        ({"degradation": "bd", "scale": 2}, "bd"),
        ({"degradation": "blur"}, "is for models that deblur"),
        ({"task": "deblur"}, "is for models that enlarge"),
    ):
        usual = {"task": "upscale", "degradation": "bi", "scale": 4}
        with pytest.raises(UsageError, match=said):
            Conventions(**{**usual, **choice})  # type: ignore[arg-type]


def test_both_choices_of_ends_are_stated() -> None:
    words = Conventions("upscale", "crf28", 4, frames=20).in_words()
    assert words["input"] == "crf28, x4: bi, then x264 at that constant rate factor"
    assert words["frames"] == "the first 20; 1 to the last count"
    words = Conventions("upscale", "bi", 4, skip_ends=True, border=6).in_words()
    assert words["frames"] == "all; 1 to the last count, without 2 at each end of the clip"
    assert words["border"].startswith("6 pixels on each side do not count")
