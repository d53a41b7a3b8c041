"""Clips made from film, photographs and text."""

from __future__ import annotations

import torch

from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.synthesis import ClipSource


def still_set() -> TrainingSet:
    """Film whose value is the clip's number and time, and a grey photograph."""
    film = torch.zeros(3, FRAMES, 3, SIZE, SIZE, dtype=torch.uint8)
    film += (10 * torch.arange(3)[:, None] + torch.arange(FRAMES)).to(torch.uint8)[
        ..., None, None, None
    ]
    return TrainingSet(film, (torch.full((3, 300, 280), 200, dtype=torch.uint8),))


def test_film_is_used_forwards_and_backwards() -> None:
    source = ClipSource(still_set(), 64, moved_share=0)
    clips = source.batch(32, torch.Generator().manual_seed(0))
    assert clips.shape == (32, FRAMES, 3, 64, 64)
    codes = (clips * 255).round().long()
    assert (codes == codes[:, :, :1, :1, :1]).all()
    runs = {tuple(run) for run in codes[:, :, 0, 0, 0].tolist()}
    forwards = {tuple(range(10 * n, 10 * n + FRAMES)) for n in range(3)}
    assert runs == forwards | {run[::-1] for run in forwards}


def test_photographs_are_moved_with_little_change_of_light() -> None:
    source = ClipSource(still_set(), 64, moved_share=1)
    clips = source.batch(8, torch.Generator().manual_seed(0))
    assert (clips - 200 / 255).abs().max() < 0.15
    assert (clips[:, FRAMES // 2] - 200 / 255).abs().max() < 1e-3


def test_equal_generators_give_equal_batches() -> None:
    random = torch.Generator().manual_seed(5)
    film = torch.randint(256, (2, FRAMES, 3, SIZE, SIZE), generator=random).to(torch.uint8)
    still = torch.randint(256, (3, 260, 260), generator=random).to(torch.uint8)
    source = ClipSource(TrainingSet(film, (still,)), 64, moved_share=0.5)
    first, second = (source.batch(6, torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, source.batch(6, torch.Generator().manual_seed(10)))
    assert first.min() >= 0
    assert first.max() <= 1


def test_short_clips_are_the_beginnings_of_whole_ones() -> None:
    """Of whole film, moved photographs and text, but for those reversed in time."""
    random = torch.Generator().manual_seed(5)
    film = torch.randint(256, (2, FRAMES, 3, SIZE, SIZE), generator=random).to(torch.uint8)
    still, page = (
        torch.randint(256, (channels, 260, 260), generator=random).to(torch.uint8)
        for channels in (3, 1)
    )
    data = TrainingSet(film, (still,), (page,))

    def drawn(frames: int) -> torch.Tensor:
        source = ClipSource(data, 64, 0.5, text_share=0.3, frames=frames)
        return source.batch(40, torch.Generator().manual_seed(9))

    short, whole = drawn(3), drawn(FRAMES)
    assert short.shape == (40, 3, 3, 64, 64)
    same = (short - whole[:, :3]).abs().flatten(1).amax(1) < 1e-5
    assert 12 <= same.sum() <= 28


def test_slow_photographs_change_less_from_frame_to_frame() -> None:
    still = torch.randint(256, (3, 20, 20), generator=torch.Generator().manual_seed(5))
    data = TrainingSet(
        still_set().film, (still.repeat_interleave(15, 1).repeat_interleave(15, 2).byte(),)
    )

    def change(share: float) -> torch.Tensor:
        source = ClipSource(data, 64, moved_share=1, slow_share=share)
        return source.batch(40, torch.Generator().manual_seed(4)).diff(dim=1).abs().mean()

    assert change(1) < 0.5 * change(0)


def test_some_clips_get_text_and_the_others_stay_as_they_are() -> None:
    plain = still_set()
    page = torch.zeros(1, 300, 300, dtype=torch.uint8)
    page[:, ::2] = 255
    lettered = TrainingSet(plain.film, plain.stills, (page,))

    def drawn(data: TrainingSet, share: float) -> torch.Tensor:
        random = torch.Generator().manual_seed(3)
        return ClipSource(data, 64, 0.5, share).batch(40, random)

    without = drawn(plain, 0.3)
    assert torch.equal(drawn(lettered, 0), without)
    some = drawn(lettered, 0.3)
    changed = (some != without).flatten(1).any(1)
    assert 5 <= changed.sum() <= 20
    assert some.min() >= 0
    assert some.max() <= 1
    assert (drawn(lettered, 1) != without).flatten(1).any(1).all()
