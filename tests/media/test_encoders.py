"""Encoders are chosen so that a source keeps what it has, and what they write says so."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from ffmpeg import FFMPEG, describe, frame_info, raw_frames, video_times

from vsrcli.errors import OutputError, UsageError
from vsrcli.media.encoders import EncodeOptions, EncoderPlan, Picture, choose, container_of
from vsrcli.media.formats import pixel_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, Range
from vsrcli.media.info import ContentLight, MasteringDisplay
from vsrcli.media.writer import MovieWriter

BT709 = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1, ChromaLocation.LEFT)
PQ = ColorSpec(Matrix.BT2020_NCL, Range.LIMITED, 9, 16, ChromaLocation.TOPLEFT)
SRGB = ColorSpec(Matrix.RGB, Range.FULL, 2, 2, ChromaLocation.LEFT)

CONTAINER = {
    "h264": ".mp4", "hevc": ".mp4", "av1": ".mp4", "vp9": ".webm", "prores": ".mov", "ffv1": ".mkv",
}  # fmt: skip


def picture(
    pix_fmt: str = "yuv420p", color: ColorSpec = BT709, size: tuple[int, int] = (64, 48)
) -> Picture:
    return Picture(*size, pixel_format(pix_fmt), color, Fraction(25))


def plan_for(codec: str, source: Picture, **options: object) -> EncoderPlan:
    container = container_of(Path("x" + CONTAINER[codec]))
    return choose(EncodeOptions(codec, **options), source, container)  # type: ignore[arg-type]


def ramp(plan: EncoderPlan, index: int = 0) -> Frame:
    """A frame whose first plane is a ramp across, moved by `index`; the others are constant."""
    form, top = plan.format, 1 << plan.format.bits
    dtype = np.uint8 if form.bits == 8 else np.uint16
    planes = []
    for plane in range((1 if form.family == "gray" else 3) + form.alpha):
        height, width = form.plane_size(plane, plan.width, plan.height)
        across = np.linspace(0.2, 0.7, width)[None] + 0.01 * index
        level = across if plane == 0 else np.full((1, width), 0.3 + 0.1 * plane)
        planes.append(np.ascontiguousarray(np.broadcast_to(level * top, (height, width)), dtype))
    return Frame(tuple(planes), form, index, Fraction(1, 25), 1)


def write(path: Path, plan: EncoderPlan, frames: int = 3) -> list[Frame]:
    written = [ramp(plan, index) for index in range(frames)]
    with MovieWriter(path, container_of(path), plan, time_base=Fraction(1, 25)) as writer:
        for frame in written:
            writer.write(frame)
    return written


@pytest.mark.parametrize(
    ("codec", "source", "stored"),
    [
        ("h264", "yuv420p", "yuv420p"),
        ("h264", "yuv422p", "yuv422p"),
        ("h264", "yuv444p", "yuv444p"),
        ("h264", "yuv420p10le", "yuv420p10le"),
        ("h264", "yuv444p12le", "yuv444p10le"),
        ("h264", "yuv411p", "yuv420p"),
        ("h264", "gray", "yuv420p"),
        ("h264", "gbrp", "yuv420p"),
        ("hevc", "yuv422p10le", "yuv422p10le"),
        ("hevc", "yuv420p9le", "yuv420p10le"),
        ("hevc", "yuv420p16le", "yuv420p12le"),
        ("av1", "yuv422p10le", "yuv420p10le"),
        ("vp9", "yuv444p", "yuv444p"),
        ("prores", "yuv420p", "yuv422p10le"),
        ("prores", "gbrp16le", "yuv444p10le"),
        ("prores", "yuva420p", "yuva444p10le"),
        ("ffv1", "yuv411p", "yuv411p"),
        ("ffv1", "yuv420p16le", "yuv420p16le"),
        ("ffv1", "gray12le", "gray12le"),
        ("ffv1", "gbrp", "bgr0"),
        ("ffv1", "gbrap", "bgra"),
        ("ffv1", "gbrp10le", "gbrp10le"),
        ("ffv1", "yuva444p10le", "yuva444p10le"),
    ],
)
def test_the_format_that_keeps_most(codec: str, source: str, stored: str) -> None:
    assert plan_for(codec, picture(source)).pix_fmt == stored


def test_losses_are_told() -> None:
    assert plan_for("h264", picture()).notes == ()
    assert plan_for("hevc", picture("yuv422p10le")).notes == ()
    notes = plan_for("av1", picture("yuv444p12le")).notes
    assert notes == (
        "12-bit source: av1 stores 10 bits (yuv420p10le)",
        "yuv444p12le source: av1 stores less chroma (yuv420p10le)",
    )
    assert "alpha channel is left out" in plan_for("h264", picture("yuva420p")).notes[0]
    assert "HDR in 8 bits shows bands" in plan_for("vp9", picture("yuv420p10le", PQ)).notes[1]
    assert "many players want --pix-fmt yuv420p" in plan_for("h264", picture("yuv444p")).notes[0]


def test_hdr_gets_ten_bits() -> None:
    assert plan_for("hevc", picture("yuv420p", PQ)).pix_fmt == "yuv420p10le"
    assert plan_for("h264", picture("yuv420p", PQ)).pix_fmt == "yuv420p10le"


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_mastering_and_light_level_are_written(tmp_path: Path, codec: str) -> None:
    def point(x: str, y: str) -> tuple[Fraction, Fraction]:
        return Fraction(x), Fraction(y)

    source = replace(
        picture("yuv420p10le", PQ),
        mastering=MasteringDisplay(
            (point("0.68", "0.32"), point("0.265", "0.69"), point("0.15", "0.06")),
            point("0.3127", "0.329"),
            (Fraction("0.005"), Fraction(1000)),
        ),
        light=ContentLight(1000, 400),
    )
    path = tmp_path / "hdr.mp4"
    write(path, plan_for(codec, source))
    text = frame_info(path)
    # AV1 stores luminance in steps of 1/16384 cd/m2.
    assert re.search(
        r"Mastering display metadata: has_primaries:1 has_luminance:1 r\(0.6800,0.3200\) "
        r"g\(0.2650,0.6900\) b\(0.1500 0.0600\) wp\(0.3127, 0.3290\) "
        r"min_luminance=0.00500?\d?\d?, max_luminance=1000.000000",
        text,
    )
    assert "MaxCLL=1000, MaxFALL=400" in text
    assert "bt2020nc/bt2020/smpte2084" in text
    notes = plan_for("vp9", source).notes
    assert "HDR mastering data is left out: vp9 does not write it; hevc and av1 do" in notes


def test_threads_work_on_whole_pictures(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    write(path, plan_for("h264", picture(size=(320, 240))))
    assert b" sliced_threads=0 " in path.read_bytes(), "x264 tells its settings in the stream"


@pytest.mark.parametrize("codec", CONTAINER)
@pytest.mark.parametrize("full", [False, True])
def test_color_tags_are_read_back(tmp_path: Path, codec: str, full: bool) -> None:
    color = ColorSpec(
        Matrix.BT470BG, Range.FULL if full else Range.LIMITED, 5, 6, ChromaLocation.LEFT
    )
    path = tmp_path / f"out{CONTAINER[codec]}"
    plan = plan_for(codec, picture(color=color))
    write(path, plan)
    video = next(line for line in describe(path).splitlines() if "Video:" in line)
    assert "bt470bg/bt470bg/smpte170m" in video
    if codec == "prores":
        assert plan.color.range == Range.LIMITED
    else:
        # FFmpeg has a name of its own for 8-bit full range.
        assert ("(pc" in video or "yuvj420p" in video) == full


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("location", list(ChromaLocation)[1:])
def test_chroma_location_is_read_back(tmp_path: Path, codec: str, location: ChromaLocation) -> None:
    path = tmp_path / "out.mp4"
    write(path, plan_for(codec, picture(color=replace(BT709, chroma_location=location))), 1)
    done = subprocess.run([FFMPEG, "-v", "verbose", "-i", path], capture_output=True, check=False)
    video = next(line for line in done.stderr.decode().splitlines() if "Video:" in line)
    assert re.search(rf"yuv420p\(tv, bt709, (progressive, )?{location.name.lower()}\)", video)


@pytest.mark.parametrize("codec", CONTAINER)
@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_movies(tmp_path: Path, codec: str, count: int) -> None:
    path = tmp_path / f"out{CONTAINER[codec]}"
    write(path, plan_for(codec, picture()), count)
    assert len(raw_frames(path, "gray", 64, 48)) == count
    assert video_times(path) == pytest.approx([0, 0.04][:count])


def test_locations_that_a_codec_cannot_tell_become_left() -> None:
    center = replace(BT709, chroma_location=ChromaLocation.CENTER)
    for codec in ("av1", "vp9"):
        plan = plan_for(codec, picture(color=center))
        assert plan.color.chroma_location == ChromaLocation.LEFT
    assert plan_for("h264", picture(color=center)).color == center
    assert plan_for("h264", picture("gbrp", SRGB)).color == BT709


@pytest.mark.parametrize("codec", CONTAINER)
@pytest.mark.parametrize("size", [(65, 49), (64, 49), (65, 48)])
def test_odd_sizes(tmp_path: Path, codec: str, size: tuple[int, int]) -> None:
    plan = plan_for(codec, picture(size=size))
    padded = codec in ("h264", "hevc")
    assert plan.padding == ((size[0] % 2, size[1] % 2) if padded else (0, 0))
    assert [note for note in plan.notes if "has an odd side" in note] == list(plan.notes)
    assert bool(plan.notes) == padded
    path = tmp_path / f"out{CONTAINER[codec]}"
    frames = write(path, plan)
    width, height = size[0] + plan.padding[0], size[1] + plan.padding[1]
    assert f" {width}x{height}" in describe(path)
    gray = raw_frames(path, "gray", width, height)
    assert len(gray) == len(frames)
    last = gray[0, :, :, 0].astype(int)
    assert abs(last[-1] - last[-2]).max() <= 3
    assert abs(last[:, -1] - last[:, -2]).max() <= 6


def test_odd_sizes_in_other_chroma() -> None:
    assert plan_for("h264", picture("yuv444p", size=(65, 49))).padding == (0, 0)
    assert plan_for("h264", picture("yuv422p", size=(65, 49))).padding == (1, 0)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "gbrp", "gray12le", "yuv444p16le"])
def test_ffv1_loses_nothing(tmp_path: Path, pix_fmt: str) -> None:
    path = tmp_path / "out.mkv"
    plan = plan_for("ffv1", picture(pix_fmt))
    frames = write(path, plan)
    decoded = subprocess.run(
        [FFMPEG, "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", pix_fmt, "-"],
        capture_output=True,
        check=True,
    ).stdout
    # FFmpeg stores G, B, R.
    order = (1, 2, 0) if plan.format.family == "rgb" else range(3)
    planes = [f.planes[i] for f in frames for i in order if i < len(f.planes)]
    assert decoded == b"".join(plane.tobytes() for plane in planes)


@pytest.mark.parametrize(
    ("codec", "preset"),
    [("h264", "ultrafast"), ("hevc", "ultrafast"), ("av1", "12"), ("vp9", "8"), ("prores", "lt")],
)
def test_presets(tmp_path: Path, codec: str, preset: str) -> None:
    path = tmp_path / f"out{CONTAINER[codec]}"
    write(path, plan_for(codec, picture(), preset=preset))
    assert "64x48" in describe(path)
    with pytest.raises(
        UsageError, match=f"--preset sluggish for {codec}: choose one of .*{preset}"
    ):
        plan_for(codec, picture(), preset="sluggish")


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_quality_counts(tmp_path: Path, codec: str) -> None:
    sizes = []
    for crf in (10, 45):
        path = tmp_path / f"{crf}{CONTAINER[codec]}"
        plan = plan_for(codec, picture(), crf=crf)
        noise = np.random.default_rng(0).integers(30, 220, (48, 64), np.uint8)
        with MovieWriter(path, container_of(path), plan, time_base=Fraction(1, 25)) as writer:
            for index in range(3):
                frame = ramp(plan, index)
                writer.write(replace(frame, planes=(np.roll(noise, index), *frame.planes[1:])))
        sizes.append(path.stat().st_size)
    assert sizes[0] > 1.5 * sizes[1]
    with pytest.raises(UsageError, match=f"--crf 99 for {codec}: it goes from 0 to"):
        plan_for(codec, picture(), crf=99.0)


def test_encoder_options_reach_the_encoder(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    options = (("g", "1"), ("x264-params", "ref=1:me=dia"))
    write(path, plan_for("h264", picture(), encoder_options=options))
    settings = path.read_bytes()
    assert b"keyint=1 " in settings and b"me=dia" in settings


@pytest.mark.parametrize(
    ("codec", "option", "message"),
    [
        ("h264", ("foo", "1"), "libx264 has no such option"),
        ("h264", ("x264-params", "foo=1"), "libx264 says Error parsing option 'foo = 1'"),
        ("hevc", ("x265-params", "foo=1"), "libx265 says Unknown option: foo"),
        ("av1", ("svtav1-params", "foo=1"), "libsvtav1 says Error parsing option foo"),
        ("vp9", ("x264-params", "ref=1"), "libvpx-vp9 has no such option"),
        ("h264", ("refs", "many"), "Error setting option refs to value many"),
    ],
)
def test_options_that_an_encoder_does_not_know(
    codec: str, option: tuple[str, str], message: str
) -> None:
    with pytest.raises(OutputError, match=re.escape(message)):
        plan_for(codec, picture(), encoder_options=(option,))


def test_requests_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="unknown codec 'divx': choose one of h264, hevc"):
        choose(EncodeOptions("divx"), picture(), "mp4")
    with pytest.raises(OutputError, match="webm does not hold h264: choose one of av1, vp9"):
        choose(EncodeOptions("h264"), picture(), "webm")
    with pytest.raises(OutputError, match="h264 cannot encode yuv420p12le: choose one of yuv420p,"):
        plan_for("h264", picture(), pix_fmt="yuv420p12le")
    with pytest.raises(UsageError, match="--crf 18 for prores: this codec has none"):
        plan_for("prores", picture(), crf=18.0)
    with pytest.raises(OutputError, match=r"no container is known by the suffix .avi"):
        container_of(Path("x.avi"))


def test_defaults() -> None:
    assert choose(EncodeOptions(), picture(), "mp4").encoder == "libx264"
    assert choose(EncodeOptions(), picture(), "webm").encoder == "libvpx-vp9"
    assert plan_for("h264", picture("yuv444p"), pix_fmt="nv12").format.name == "yuv420p"


@pytest.mark.parametrize("codec", ["h264_nvenc", "hevc_nvenc", "av1_nvenc"])
def test_a_card_that_is_not_there(codec: str) -> None:
    plan = choose(EncodeOptions(codec, crf=30), picture(), "mp4")
    if plan.encoder == codec:
        pytest.skip("this machine's card has the encoder")
    assert plan.encoder in ("libx264", "libx265", "libsvtav1")
    assert f"{codec} does not work here, {plan.codec} is used instead" in plan.notes[0]
    automatic = choose(EncodeOptions(plan.codec, hardware="auto"), picture(), "mp4")
    assert automatic.encoder == plan.encoder


def test_a_picture_too_narrow_for_an_encoder() -> None:
    narrow = picture(size=(62, 48))
    with pytest.raises(OutputError, match="64 pixels' width or more, this one has 62"):
        plan_for("hevc", narrow)
    assert plan_for("h264", narrow).width == 62
