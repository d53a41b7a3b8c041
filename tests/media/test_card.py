"""Decoding on a graphics card, against decoding in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import clips
import numpy as np
import pytest
import torch
from av.codec.hwaccel import HWAccel
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from vsrcli.media import card as card_module
from vsrcli.media import decoder
from vsrcli.media.card import can_decode, separated
from vsrcli.media.formats import pixel_format, planes_from_av
from vsrcli.media.frame import Frame
from vsrcli.media.probe import probe
from vsrcli.media.reader import VideoReader


def frames_of(path: Path, card: int | None, **options: object) -> tuple[list[Frame], list[str]]:
    with VideoReader(path, card=card, **options) as reader:  # type: ignore[arg-type]
        return list(reader), reader.notes


def compare(found: list[Frame], expected: list[Frame]) -> None:
    """Same times, and the samples within the rounding of decoders."""
    assert [(f.pts, f.duration) for f in found] == [(f.pts, f.duration) for f in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.format == other.format
        for made, wanted in zip(one.planes, other.planes, strict=True):
            samples = made.cpu().numpy() if isinstance(made, Tensor) else made
            assert samples.dtype == wanted.dtype and samples.shape == wanted.shape
            assert np.abs(samples.astype(int) - np.asarray(wanted).astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("packed", "planar", "shift"), [("nv12", "yuv420p", 0), ("p010le", "yuv420p10le", 6)]
)
@pytest.mark.parametrize("width", [64, 50])
def test_planes_are_taken_apart(packed: str, planar: str, shift: int, width: int) -> None:
    form = pixel_format(planar)
    given = av.VideoFrame(width, 24, planar)
    for samples in planes_from_av(given):
        samples[:] = np.random.default_rng(0).integers(0, 2**form.bits, samples.shape)
    luma, chroma = (
        from_dlpack(plane.__dlpack__()) for plane in given.reformat(format=packed).planes
    )
    made = separated(luma, chroma, shift)
    for plane, wanted in zip(made, planes_from_av(given), strict=True):
        assert plane.is_contiguous()
        assert np.array_equal(plane.numpy(), wanted)
    assert all(plane.data_ptr() != luma.data_ptr() for plane in made)


def test_what_a_card_is_asked_for(tmp_path: Path) -> None:
    video = probe(str(clips.clip(tmp_path / "plain.mp4"))).video
    assert video.codec == "h264" and can_decode(video)
    assert not can_decode(replace(video, codec="prores"))
    assert not can_decode(replace(video, codec="h264", format=pixel_format("yuv420p10le")))
    assert can_decode(replace(video, codec="hevc", format=pixel_format("yuv420p10le")))
    assert not can_decode(replace(video, format=pixel_format("yuv444p")))
    assert not can_decode(replace(video, width=video.width + 1))
    assert not can_decode(replace(video, interlaced=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_it_is_done_in_memory(tmp_path: Path) -> None:
    path = clips.b_frames(tmp_path / "b.mp4")
    found, notes = frames_of(path, card=0)
    compare(found, frames_of(path, card=None)[0])
    assert notes == []


def test_a_card_is_asked_only_where_it_may_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    opened = decoder.open_input

    def noted(path: str, **options: object) -> object:
        asked.append("hwaccel" in options)
        return opened(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(decoder, "open_input", noted)
    if not torch.cuda.is_available():  # it is asked for one, fails, and goes on without
        accelerated = HWAccel("cuda", device="0", is_hw_owned=True)
        monkeypatch.setattr(card_module, "acceleration", lambda card: accelerated)
    path, combed = clips.clip(tmp_path / "a.mp4"), clips.interlaced(tmp_path / "i.mkv")
    for source, options in ((combed, {}), (path, {"deinterlace": "on"}), (path, {})):
        asked.clear()
        frames_of(source, card=0, **options)
        assert any(asked) == (source == path and not options)


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("encoder", "pix_fmt"),
    [("libx264", "yuv420p"), ("libx265", "yuv420p"), ("libx265", "yuv420p10le")],
)
@pytest.mark.parametrize("start", [None, 0.9])
def test_a_card_decodes_the_same(
    tmp_path: Path, encoder: str, pix_fmt: str, start: float | None
) -> None:
    """With B-frames, at a size that is no multiple of a macroblock; from the middle too."""
    path = clips.clip(
        tmp_path / "clip.mkv",
        *("-bf", "3"),
        codec=encoder,
        pix_fmt=pix_fmt,
        frames=50,
        rate="25",
        size=(322, 182),
    )
    found, notes = frames_of(path, card=0, start=start)
    assert notes == ["decoding on the graphics card"]
    assert all(isinstance(plane, Tensor) and plane.is_cuda for f in found for plane in f.planes)
    compare(found, frames_of(path, card=None, start=start)[0])


@pytest.mark.cuda
def test_what_the_card_does_not_take_is_decoded_in_memory(tmp_path: Path) -> None:
    """Too small for it, or changing on the way."""
    for path in (clips.b_frames(tmp_path / "b.mp4"), clips.changing_size(tmp_path / "c.ts")):
        compare(frames_of(path, card=0)[0], frames_of(path, card=None)[0])
