"""Real encoders: that they ran, what they leave, and that ffmpeg reads their streams alike."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from ffmpeg import ffmpeg

from vsrcli.degradation import compression
from vsrcli.degradation.compression import (
    Codec,
    Compression,
    coded,
    compressed,
    compressed_as,
    decode,
    encode,
)
from vsrcli.degradation.planes import to_planes
from vsrcli.errors import OutputError
from vsrcli.ops.ycbcr import rgb_to_ycbcr

CODECS: tuple[Codec, ...] = get_args(Codec)
QUALITIES = {
    "h264": (18, 26, 35),
    "hevc": (20, 28, 37),
    "mpeg2": (2, 5, 10),
    "mpeg4": (2, 5, 10),
    "mjpeg": (2, 5, 12),
}
SUFFIXES = {"h264": "264", "hevc": "265", "mpeg2": "m2v", "mpeg4": "m4v", "mjpeg": "mjpeg"}


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean()))


@pytest.mark.parametrize("codec", CODECS)
def test_coarser_is_smaller_and_worse(codec: Codec, real_clip: torch.Tensor) -> None:
    clip = real_clip[:6]
    planes = to_planes(rgb_to_ycbcr(clip)).numpy()
    made = [compressed(clip, codec, quality) for quality in QUALITIES[codec]]
    for picture in made:
        assert picture.shape == clip.shape
        assert torch.equal(picture, (picture * 255).round() / 255)
    scores = [psnr(picture, clip) for picture in made]
    assert scores[0] > scores[1] + 1 > scores[2] + 2
    assert 20 < scores[2] < scores[0] < 45
    sizes = [
        sum(packet.size for packet in encode(planes, Compression(codec, quality)))
        for quality in QUALITIES[codec]
    ]
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]


@pytest.mark.parametrize("codec", CODECS)
def test_colors_and_grays_stay(codec: Codec) -> None:
    bars = torch.zeros(3, 3, 64, 128)
    for index in range(8):
        color = torch.tensor([index & 1, index >> 1 & 1, index >> 2 & 1]) * 0.75
        bars[:, :, :32, 16 * index : 16 * index + 16] = color.view(3, 1, 1)
    bars[:, :, 32:] = torch.linspace(0, 1, 128)
    difference = (compressed(bars, codec, 1) - bars) * 255
    for index in range(8):  # but for the edges, where chroma is shared
        bar = difference[..., 4:28, 16 * index + 4 : 16 * index + 12]
        assert bar.abs().max() < 3.5
        assert bar.mean((0, 2, 3)).abs().max() < 2
    ramp = difference[..., 36:, 4:-4]
    assert ramp.abs().max() < 2
    assert ramp.mean((0, 2, 3)).abs().max() < 0.1


@pytest.mark.parametrize("codec", CODECS)
def test_ffmpeg_decodes_the_same(codec: Codec, real_clip: torch.Tensor, tmp_path: Path) -> None:
    planes = to_planes(rgb_to_ycbcr(real_clip)).numpy()
    packets = encode(planes, Compression(codec, QUALITIES[codec][1], "veryfast"))
    stream = tmp_path / f"clip.{SUFFIXES[codec]}"
    stream.write_bytes(b"".join(bytes(packet) for packet in packets))
    data = ffmpeg("-i", stream, "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    theirs = np.frombuffer(data, np.uint8).reshape(planes.shape)
    ours = decode(packets, codec)
    # Of MPEG's older codecs every decoder has a DCT of its own.
    exact = codec in ("h264", "hevc")
    assert np.abs(ours.astype(int) - theirs).max() <= (0 if exact else 2)


@pytest.mark.parametrize("codec", CODECS)
def test_equal_clips_give_equal_pictures(codec: Codec, real_clip: torch.Tensor) -> None:
    # 144 pixels are 9 blocks, where x264 once gave now this, now that; see `_options`.
    planes = to_planes(rgb_to_ycbcr(real_clip[:7, :, :80, :144])).numpy()
    how = Compression(codec, QUALITIES[codec][1], "veryfast", 100, 2)
    first = coded(planes, how)
    for size in (10_000, 300_000, 7_000_000):
        elsewhere = np.empty(size, np.uint8)  # so that memory lies otherwise
        assert np.array_equal(coded(planes.copy(), how), first)
        del elsewhere


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg2", "mpeg4"])
def test_key_frames_come_when_told(codec: Codec, real_clip: torch.Tensor) -> None:
    planes = to_planes(rgb_to_ycbcr(real_clip[:10])).numpy()
    planes[4:] = 255 - planes[4:]  # a cut, which is no reason
    packets = encode(planes, Compression(codec, QUALITIES[codec][1], "veryfast", interval=6))
    keys = sorted(packet.pts for packet in packets if packet.is_keyframe)
    assert keys == [0, 6]


@pytest.mark.parametrize("codec", CODECS)
def test_a_lead_is_dropped(codec: Codec, real_clip: torch.Tensor) -> None:
    clip = real_clip[:5]
    how = Compression(codec, QUALITIES[codec][0], "veryfast", lead=4)
    made = compressed_as(clip, how)
    assert made.shape == clip.shape
    for index, frame in enumerate(made):
        scores = [psnr(frame, other) for other in clip]
        assert max(scores) == scores[index]
    plain = compressed_as(clip, Compression(codec, QUALITIES[codec][0], "veryfast"))
    assert torch.equal(made, plain) == (codec == "mjpeg")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [(2, 2), (24, 24), (31, 33), (17, 90)])
@pytest.mark.parametrize("frames", [1, 2])
def test_any_size(codec: Codec, size: tuple[int, int], frames: int) -> None:
    clip = torch.linspace(0, 1, size[1]).expand(frames, 3, *size)
    made = compressed(clip, codec, QUALITIES[codec][0])
    assert made.shape == clip.shape
    assert (made - clip).abs().mean() < 0.02


def test_an_encoder_that_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compression._ENCODERS, "h264", "libnone")
    with pytest.raises(OutputError, match="libnone cannot encode 64x64"):
        compressed(torch.zeros(1, 3, 64, 64), "h264", 20)
