"""Text in training clips."""

from __future__ import annotations

import pytest
import torch

from vsrcli.training import text
from vsrcli.training.data.cut import FRAMES
from vsrcli.training.text import written

SIZE = 64
COUNT = 12


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    """A function that makes all text of one kind, without edges, and opaque."""

    def force(kind: str) -> None:
        for name in ("_PAPER", "_CAPTION", "_ROLL"):
            monkeypatch.setattr(text, name, float(name == kind))
        for name in ("_EDGED_ON_PAPER", "_EDGED", "_FAINT"):
            monkeypatch.setattr(text, name, 0)

    return force


def gray_clips(code: int) -> torch.Tensor:
    return torch.full((COUNT, FRAMES, 3, SIZE, SIZE), code / 255)


def random() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def blocks(side: int = 300) -> torch.Tensor:
    """A page of squares of eight pixels that cover wholly or not at all."""
    cells = torch.rand(side // 8 + 1, side // 8 + 1, generator=random()) < 0.4
    page = cells.repeat_interleave(8, 0).repeat_interleave(8, 1)[:side, :side]
    return (255 * page.to(torch.uint8))[None]


def test_captions_stand_still_and_are_as_sharp_as_their_page(only) -> None:
    only("_CAPTION")
    clips = written(gray_clips(100), (blocks(),), random())
    assert (clips - clips[:, :1]).abs().max() < 1e-5
    codes = (clips * 255).round()
    for clip in codes[:, 0]:
        colors = clip.flatten(1).unique(dim=1)
        assert colors.shape[1] == 2
        assert (colors == 100).all(0).any()


def test_rolling_text_moves_evenly_along_one_axis(only, monkeypatch) -> None:
    only("_ROLL")
    monkeypatch.setattr(text, "_UPWARDS", 0)
    ramp = torch.arange(256, dtype=torch.uint8).expand(1, 256, 256)
    clips = written(gray_clips(0), (ramp,), random())
    color = clips[:, 0, :, 0].diff(dim=-1).mean(-1)[..., None, None] * 255  # of the ink
    steps = clips.diff(dim=1)[:, :, 0] / (color[:, None, 0] / 255)  # in pixels
    assert (steps - steps.mean((1, 2, 3), keepdim=True)).abs().max() < 0.15
    speeds = steps.mean((1, 2, 3))
    assert speeds.abs().max() < 8.1
    assert speeds.min() < -2
    assert speeds.max() > 2
    monkeypatch.setattr(text, "_UPWARDS", 1)
    assert written(gray_clips(0), (ramp,), random()).diff(dim=1).abs().max() < 1e-3


def test_paper_hides_the_clip_and_other_text_does_not(only) -> None:
    nothing = torch.zeros(1, 300, 300, dtype=torch.uint8)
    only("_PAPER")
    dark, light = (written(gray_clips(code), (nothing,), random()) for code in (10, 200))
    assert torch.equal(dark, light)
    assert dark.std() > 0.1
    only("_CAPTION")
    torch.testing.assert_close(written(gray_clips(10), (nothing,), random()), gray_clips(10))


def test_edges_and_shadows_lie_around_the_letters(only, monkeypatch) -> None:
    only("_CAPTION")
    dot = torch.zeros(1, 162, 162, dtype=torch.uint8)
    dot[:, 80, 80] = 255
    monkeypatch.setattr(text, "_EDGED", 1)
    for shadow in (0, 1):
        monkeypatch.setattr(text, "_SHADOW", shadow)
        clips = written(gray_clips(128), (dot,), random())
        touched = ((clips[:, 0] - 128 / 255).abs() > 1e-3).any(1)  # (N, S, S)
        rows, columns = (touched.any(axis) for axis in (2, 1))
        heights, widths = rows.sum(1), columns.sum(1)
        if shadow:
            # Below and to the right of the letter, which lies at (31, 31) of the clip.
            assert not rows[:, :30].any()
            assert not columns[:, :30].any()
            assert rows[:, 33:].any(1).all()
        else:
            assert torch.equal(heights, widths)
            assert heights.min() >= 3
            assert 5 <= heights.max() <= 9
            assert torch.equal(touched, touched.flip(1).roll(-1, 1))


def test_text_of_all_kinds_is_drawn_alike_from_equal_generators() -> None:
    pages = (blocks(), blocks(200))
    first, second = (written(gray_clips(90), pages, random()) for _ in range(2))
    assert torch.equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1
    assert (first != gray_clips(90)).flatten(1).any(1).all()


@pytest.mark.cuda
def test_card_draws_the_same() -> None:
    expected = written(gray_clips(90), (blocks(),), random())
    found = written(gray_clips(90).cuda(), (blocks().cuda(),), random())
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-3)
