"""Everyday video: drawn as it says, in line with what it was made of, the same again by seed."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from vsrcli.degradation import camera
from vsrcli.degradation import real as module
from vsrcli.degradation.compression import Codec, Compression, coded
from vsrcli.degradation.kernels import degrade
from vsrcli.degradation.mosaic import cut_out, lay_out
from vsrcli.degradation.planes import from_planes, to_planes
from vsrcli.degradation.real import real, real_batch
from vsrcli.ops.ycbcr import rgb_to_ycbcr


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean().clamp(min=1e-9)))


@pytest.fixture
def clips(real_clip: Tensor) -> Tensor:
    """(5, 4, 3, 64, 64)"""
    crops = [real_clip[n : n + 4, :, 6 * n : 6 * n + 64, 20 * n : 20 * n + 64] for n in range(5)]
    return torch.stack(crops)


@pytest.mark.parametrize("scale", [2, 4])
def test_shapes_and_values(scale: int, clips: Tensor) -> None:
    side = 64 // scale
    for made in (real(clips[0], scale, seeded(1))[None], real_batch(clips, scale, seeded(1))):
        assert made.shape == (len(made), 4, 3, side, side)
        assert made.dtype == torch.float32
        assert made.min() >= 0
        assert made.max() <= 1
        assert torch.equal(made, (made * 255).round() / 255)


@pytest.mark.parametrize("size", [(63, 64), (64, 62)])
def test_sizes_are_multiples_of_the_scale(size: tuple[int, int]) -> None:
    clip = torch.zeros(2, 3, *size)
    with pytest.raises(ValueError, match="no multiple of 4"):
        real(clip, 4, seeded(0))
    with pytest.raises(ValueError, match="no multiple of 4"):
        real_batch(clip[None], 4, seeded(0))


def test_the_generators_state_is_all_there_is_to_resume(clips: Tensor) -> None:
    generator = seeded(7)
    made = []
    for _ in range(4):
        state = generator.get_state()
        made.append(real_batch(clips, 4, generator))
    assert len({batch.numpy().tobytes() for batch in made}) == 4
    generator.set_state(state)
    assert torch.equal(real_batch(clips, 4, generator), made[3])
    assert torch.equal(real_batch(clips, 4, seeded(7)), made[0])
    one = seeded(3)
    assert not torch.equal(real(clips[0], 4, one), real(clips[0], 4, one))
    assert torch.equal(real(clips[0], 4, seeded(3)), real(clips[0], 4, seeded(3)))


def test_threads_give_what_one_gives(clips: Tensor) -> None:
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda seed: real_batch(clips, 4, seeded(seed)), range(6)))
    for seed, batch in enumerate(made):
        assert torch.equal(batch, real_batch(clips, 4, seeded(seed)))


@pytest.mark.parametrize("count", [1, 4, 5])
def test_every_clip_is_its_own(count: int, clips: Tensor) -> None:
    plain = degrade(clips, "bi", 4)
    for seed in range(3):
        for index, made in enumerate(real_batch(clips[:count], 4, seeded(seed))):
            scores = [psnr(made, other) for other in plain]
            assert max(scores) == scores[index] > 20
            frames = [psnr(made[1], frame) for frame in plain[index]]
            assert max(frames[0], frames[3]) < frames[1] + 1


def test_codecs_are_drawn_in_their_shares() -> None:
    generator = seeded(0)
    drawn = [module._draw(7, generator) for _ in range(3000)]
    shares = Counter(how.codec if how else None for how in drawn)
    assert abs(shares[None] / 3000 - module._UNCOMPRESSED) < 0.02
    assert sum(usage.share for usage in module._CODECS.values()) == pytest.approx(1)
    for codec, usage in module._CODECS.items():
        assert abs(shares[codec] / (3000 - shares[None]) - usage.share) < 0.03
        qualities = {how.quality for how in drawn if how and how.codec == codec}
        assert qualities == set(range(usage.qualities[0], usage.qualities[1] + 1))
    intervals = [how.interval for how in drawn if how]
    assert min(intervals) == 6
    assert max(intervals) > 240
    assert {how.lead for how in drawn if how} == {0, 1, 2, 3, 4}
    short = [module._draw(2, generator) for _ in range(60)]
    assert {how.lead for how in short if how} == {0, 1}


@pytest.mark.parametrize("codec", module._CODECS)
def test_nothing_moves_and_no_color_shifts(
    codec: Codec, real_clip: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = Compression(codec, module._CODECS[codec].qualities[0], "veryfast", lead=1)
    monkeypatch.setattr(module, "_draw", lambda frames, generator: how)
    monkeypatch.setattr(camera, "_NOISY", 0)
    steps = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
    shifted = [
        degrade(real_clip[:4, :, 1 + y : 89 + y, 2 + x : 158 + x], "bi", 4) for y, x in steps
    ]
    clip = real_clip[:4, :, 1:89, 2:158]
    for made in (real(clip, 4, seeded(1)), *real_batch(clip.expand(4, *clip.shape), 4, seeded(2))):
        # A quarter of a pixel off would be seen.
        scores = [psnr(made, other) for other in shifted]
        assert scores[0] > max(scores[1:]) + 0.3
        difference = (made - shifted[0]).mean((0, 2, 3)) * 255
        assert difference.abs().max() < 1


@pytest.mark.parametrize("codec", module._CODECS)
def test_a_clip_hardly_depends_on_its_neighbors(codec: Codec, clips: Tensor) -> None:
    """Pictures of blocks and motions of one do not enter another, but bits are shared."""
    low = degrade(clips, "bi", 2)
    low, size, offset = rgb_to_ycbcr(low), (32, 32), (5, 11)
    coarse = sum(module._CODECS[codec].qualities) // 2
    made = []
    for neighbors in (low[1:4], torch.rand(3, *low.shape[1:]), torch.full_like(low[1:4], 0.5)):
        picture = lay_out(torch.cat((low[:1], neighbors)), offset)
        planes = coded(to_planes(picture).numpy(), Compression(codec, coarse, "veryfast", lead=2))
        made.append(cut_out(from_planes(torch.from_numpy(planes)), size, offset)[0])
    scores = [psnr(picture, low[0]) for picture in made]
    assert max(scores) - min(scores) < 2.5
    assert min(psnr(made[0], other) for other in made[1:]) > min(scores) + 1


@pytest.mark.cuda
def test_on_a_card(clips: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_NOISY", 0)  # a card's noise is another
    for seed in range(4):
        for made, there in (
            (real_batch(clips, 4, seeded(seed)), real_batch(clips.cuda(), 4, seeded(seed))),
            (real(clips[0], 4, seeded(seed)), real(clips[0].cuda(), 4, seeded(seed))),
        ):
            assert there.device.type == "cuda"
            # Rounding differs in a few pixels, and then what the encoder does.
            assert psnr(made, there.cpu()) > 38
    noisy = real_batch(clips.cuda(), 4, seeded(9))
    assert torch.equal(noisy, real_batch(clips.cuda(), 4, seeded(9)))
