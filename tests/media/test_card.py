"""Decoding on a graphics card, against decoding in memory."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
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
from vsrcli.media import decoder, encoders
from vsrcli.media.card import can_decode, picture_of, separated
from vsrcli.media.encoders import EncodeOptions, Picture, _staying, choose
from vsrcli.media.formats import pixel_format, planes_from_av, reformatted
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, Range
from vsrcli.media.probe import probe
from vsrcli.media.reader import VideoReader
from vsrcli.media.writer import MovieWriter

BT709 = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1, ChromaLocation.LEFT)
YUV420P = pixel_format("yuv420p")


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


@pytest.mark.parametrize(("packed", "planar"), [("nv12", "yuv420p"), ("p010le", "yuv420p10le")])
def test_planes_are_joined_for_the_encoder(packed: str, planar: str) -> None:
    """FFmpeg takes them apart again."""
    form = pixel_format(planar)
    dtype = np.uint8 if form.bits == 8 else np.uint16
    sizes = [form.plane_size(index, 50, 24) for index in range(3)]
    random = np.random.default_rng(0)
    planes = [random.integers(0, 2**form.bits, size).astype(dtype) for size in sizes]
    picture = picture_of([torch.from_numpy(plane) for plane in planes], packed)
    assert picture.format.name == packed
    for made, wanted in zip(planes_from_av(reformatted(picture, planar)), planes, strict=True):
        assert np.array_equal(made, wanted)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_frames_do_not_stay_where_no_encoder_takes_them() -> None:
    plan = choose(EncodeOptions(), Picture(64, 48, YUV420P, BT709, Fraction(25)), "mp4")
    hardware = replace(plan, encoder="h264_nvenc")
    assert _staying(hardware, 0) == hardware


@pytest.mark.parametrize("change", [{"padding": (1, 0)}, {"format": pixel_format("yuv444p")}, {}])
def test_frames_stay_on_a_card_whose_encoder_takes_them(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    monkeypatch.setattr(encoders, "try_encoder", lambda plan, asked: tried.append(plan))
    plan = choose(EncodeOptions(), Picture(64, 48, YUV420P, BT709, Fraction(25)), "mp4")
    hardware = replace(plan, encoder="h264_nvenc", **change)
    found = _staying(hardware, 3)
    if change:
        assert found == hardware
    else:
        assert (found.card, found.pix_fmt) == (3, "nv12")
        assert tried[-1] == found
    assert _staying(hardware, None) == hardware


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


@pytest.mark.cuda
@pytest.mark.parametrize(("codec", "form"), [("h264", "yuv420p"), ("hevc", "yuv420p10le")])
def test_a_card_encodes_what_lies_on_it(tmp_path: Path, codec: str, form: str) -> None:
    """As well as from this program's memory. Many cards for computing have no encoder."""
    options = EncodeOptions(f"{codec}_nvenc", pix_fmt=form)
    picture = Picture(320, 192, pixel_format(form), BT709, Fraction(25))
    staying = choose(options, picture, "matroska", card=0)
    if not staying.encoder.endswith("_nvenc"):
        pytest.skip("the card has no encoder")
    assert staying.card == 0
    plan = choose(options, picture, "matroska")
    ramp = torch.arange(320).expand(192, 320) / 320
    top = 2**plan.format.bits - 1
    dtype = torch.uint8 if top == 255 else torch.uint16
    errors = []
    for chosen, device in ((plan, "cpu"), (staying, "cuda")):
        path = tmp_path / f"{device}.mkv"
        with MovieWriter(path, "matroska", chosen, time_base=Fraction(1, 25)) as writer:
            for index in range(10):
                luma = (ramp.roll(8 * index, 1) * top).to(dtype)
                planes = [x.contiguous() for x in (luma, luma[::2, ::2], luma[1::2, 1::2])]
                samples = tuple(x.cuda() if device == "cuda" else x.numpy() for x in planes)
                writer.write(Frame(samples, plan.format, index, Fraction(1, 25), 1))
        found, _ = frames_of(path, card=None)
        assert len(found) == 10
        last = np.asarray(found[-1].planes[0]).astype(float)
        errors.append(np.abs(last - luma.numpy()).mean() / top)
    assert errors[1] < errors[0] + 0.002 < 0.02
