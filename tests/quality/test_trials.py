"""What a model is given of a clip, and what there is without it."""

from __future__ import annotations

import torch
from torch import Tensor

from vsrcli.ops.resize import resize
from vsrcli.quality.clips import Clip
from vsrcli.quality.trials import trial


def halved(truth: Tensor) -> Tensor:
    return resize(truth, (truth.shape[-2] // 2, truth.shape[-1] // 2))


def enlarged(frames: Tensor) -> Tensor:
    return resize(frames, (2 * frames.shape[-2], 2 * frames.shape[-1]))


def test_upscaling_gives_all_frames_small() -> None:
    clip = Clip("a", torch.rand(9, 3, 8, 12))
    tried = trial(clip, "upscale", halved)
    assert tried.given.equal(halved(clip.frames)) and tried.truth.equal(clip.frames)
    assert list(tried.scored) == [3, 4, 5]
    assert {tried.part(i) for i in range(9)} == {"all"}
    plain = torch.stack(list(tried.plain(tried.given)))
    assert plain.equal(enlarged(tried.given))
    lanczos = torch.stack(list(tried.plain(tried.given, "lanczos")))
    assert lanczos.equal(resize(tried.given, (8, 12), "lanczos"))


def test_space_time_gives_every_second_frame() -> None:
    clip = Clip("a", torch.rand(6, 3, 8, 12))
    tried = trial(clip, "space-time", halved, range(5))
    small = halved(clip.frames)
    assert tried.given.equal(small[[0, 2, 4]])
    assert tried.truth.equal(clip.frames[:5])
    assert [tried.part(i) for i in range(5)] == ["given", "new", "given", "new", "given"]
    plain = torch.stack(list(tried.plain(tried.given)))
    assert len(plain) == 5
    assert plain[::2].equal(enlarged(tried.given))
    assert plain[3].equal((plain[2] + plain[4]) / 2)


def test_deblurring_gives_the_blurred_twin() -> None:
    clip = Clip("a", torch.rand(4, 3, 8, 12), torch.rand(4, 3, 8, 12))
    tried = trial(clip, "deblur", halved)
    assert list(tried.scored) == [0, 1, 2, 3]
    assert clip.blurred is not None and tried.given.equal(clip.blurred)
    assert torch.stack(list(tried.plain(tried.given))).equal(clip.blurred)
