"""Clips in one picture: they come out as they went in, and no block sees two of them."""

from __future__ import annotations

import pytest
import torch

from vsrcli.degradation.mosaic import BLOCK, SIDE, cut_out, lay_out

PLACES = [((24, 24), (0, 0)), ((32, 48), (5, 15)), ((33, 17), (15, 8))]


@pytest.mark.parametrize(("size", "offset"), PLACES)
def test_there_and_back(size: tuple[int, int], offset: tuple[int, int]) -> None:
    clips = torch.rand(SIDE**2, 2, 3, *size)
    picture = lay_out(clips, offset)
    assert picture.shape[:2] == (2, 3)
    assert all(length % BLOCK == 0 for length in picture.shape[-2:])
    assert torch.equal(cut_out(picture, size, offset), clips)


@pytest.mark.parametrize(("size", "offset"), PLACES)
def test_no_block_holds_parts_of_two_clips(size: tuple[int, int], offset: tuple[int, int]) -> None:
    height, width = lay_out(torch.rand(SIDE**2, 1, 3, *size), offset).shape[-2:]
    rows, columns = torch.arange(height)[:, None] // BLOCK, torch.arange(width) // BLOCK
    blocks = (rows * width + columns).expand(1, 1, height, width)
    of_clips = [set(clip.flatten().tolist()) for clip in cut_out(blocks, size, offset)]
    assert sum(map(len, of_clips)) == len(set().union(*of_clips))


def test_gaps_repeat_the_edges() -> None:
    clips = torch.arange(4.0).view(4, 1, 1, 1, 1).expand(4, 1, 3, 24, 24)
    picture = lay_out(clips, (3, 6))[0, 0]
    assert (picture[: 3 + 40, : 6 + 40] == 0).all()
    assert (picture[: 3 + 40, 6 + 40 :] == 1).all()
    assert (picture[3 + 40 :, : 6 + 40] == 2).all()
    assert (picture[3 + 40 :, 6 + 40 :] == 3).all()
