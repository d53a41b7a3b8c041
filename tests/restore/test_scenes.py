"""Scene cuts in made and real material."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from clips import EXAMPLE
from ffmpeg import raw_frames
from torch import Tensor

from vsrcli.restore.scenes import mark_cuts


def _pan(seed: int, length: int, speed: int = 2) -> list[Tensor]:
    """A smooth picture moving sideways."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 12, 40, generator=generator)
    wide = torch.nn.functional.interpolate(small, (96, 320), mode="bicubic")[0].clamp(0, 1)
    return [wide[:, :, speed * i : speed * i + 128] for i in range(length)]


def _starts(frames: list[Tensor]) -> list[int]:
    marked = list(mark_cuts(frames))
    assert all(a is b for (a, _), b in zip(marked, frames, strict=True)), "order is kept"
    return [i for i, (_, starts) in enumerate(marked) if starts]


@pytest.mark.parametrize("lengths", [(6, 7), (1, 5), (5, 1), (4, 3, 9)])
def test_finds_cuts(lengths: tuple[int, ...]) -> None:
    frames = [f for seed, length in enumerate(lengths) for f in _pan(seed, length)]
    expected = [sum(lengths[:i]) for i in range(len(lengths))]
    assert _starts(frames) == expected


def test_motion_is_no_cut() -> None:
    assert _starts(_pan(0, 12, speed=12)) == [0]


def test_a_flash_is_no_cut() -> None:
    frames = _pan(0, 11)
    frames[5] = frames[5] * 0.2 + 0.8
    assert _starts(frames) == [0]


def test_a_fade_is_no_cut() -> None:
    old, new = _pan(0, 20), _pan(1, 20)
    mixed = [
        torch.lerp(a, b, min(1, i / 12)) for i, (a, b) in enumerate(zip(old, new, strict=True))
    ]
    assert _starts(mixed) == [0]


def test_answers_depend_on_near_frames_alone() -> None:
    """A segment with two frames of context marks the same cuts as the whole video."""
    frames = _pan(0, 8) + _pan(1, 8) + _pan(2, 8)
    whole = [starts for _, starts in mark_cuts(frames)]
    for first in (5, 8, 9, 14):
        part = [starts for _, starts in mark_cuts(frames[first - 3 : first + 8])]
        assert part[3:-2] == whole[first : first + 6]


def test_nothing_comes_of_nothing() -> None:
    assert list(mark_cuts([])) == []


def test_the_cut_of_a_real_film() -> None:
    frames = raw_frames(EXAMPLE, "rgb24", 160, 90)
    pictures = torch.from_numpy(frames.copy()).permute(0, 3, 1, 2) / 255
    assert _starts(list(pictures)) == [0, 24]  # where ffmpeg's scene filter finds it too


@pytest.mark.parametrize("delay", [1, 8, 50])
def test_a_delay_changes_no_answer(delay: int) -> None:
    frames = _pan(0, 6) + _pan(1, 9) + _pan(2, 2)
    marked = list(mark_cuts(iter(frames), delay=delay))
    assert [starts for _, starts in marked] == [starts for _, starts in mark_cuts(frames)]
    assert all(a is b for (a, _), b in zip(marked, frames, strict=True))


def test_a_delay_holds_frames_back() -> None:
    asked = 0

    def frames() -> Iterator[Tensor]:
        nonlocal asked
        for frame in _pan(0, 20):
            asked += 1
            yield frame

    next(mark_cuts(frames(), delay=5))
    assert asked == 5 + 2 + 1


@pytest.mark.cuda
def test_a_card_finds_the_same_cuts() -> None:
    frames = _pan(0, 6) + _pan(1, 9) + _pan(2, 4)
    there = mark_cuts((frame.cuda() for frame in frames), delay=8)
    assert [starts for _, starts in there] == [starts for _, starts in mark_cuts(frames)]
