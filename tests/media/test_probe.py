"""What probe says of clips whose properties are known."""

from __future__ import annotations

import json
import re
import struct
from fractions import Fraction
from pathlib import Path

import clips
import pytest
from ffmpeg import ffmpeg

from vsrcli.errors import InputError
from vsrcli.media.describe import describe, to_json
from vsrcli.media.frame import ChromaLocation, Matrix, Range
from vsrcli.media.geometry import Orientation
from vsrcli.media.info import ContentLight
from vsrcli.media.probe import is_variable, probe


def test_plain_clip(tmp_path: Path) -> None:
    path = clips.clip(tmp_path / "plain.mp4")
    info = probe(path)
    video = info.video
    assert info.duration == 1 and info.start_time == 0
    assert info.size == path.stat().st_size
    assert (video.codec, video.profile, video.width, video.height) == ("h264", "High", 64, 48)
    assert (video.format.name, video.format.bits, video.alpha) == ("yuv420p", 8, False)
    assert (video.average_rate, video.variable_rate, video.frame_count) == (10, False, 10)
    assert (video.sample_aspect_ratio, video.orientation) == (1, Orientation.UPRIGHT)
    assert (video.interlaced, video.field_order) == (False, "progressive")
    assert video.tagged.matrix is Matrix.UNSPECIFIED
    assert (video.color.matrix, video.color.range) == (Matrix.SMPTE170M, Range.LIMITED)
    assert len(video.guesses) == 2
    assert info.streams == (video,)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_variable_rate(tmp_path: Path, suffix: str) -> None:
    assert probe(clips.variable_rate(tmp_path / f"uneven{suffix}")).video.variable_rate is True


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "60", "120"])
def test_constant_rate_rounded_to_milliseconds(tmp_path: Path, rate: str) -> None:
    video = probe(clips.clip(tmp_path / "even.mkv", frames=40, rate=rate)).video
    assert video.variable_rate is False
    assert video.average_rate is not None
    assert float(video.average_rate) == pytest.approx(float(Fraction(rate)), rel=1e-3)


def test_is_variable_at_its_limits() -> None:
    assert is_variable([0, 33]) is None
    rounded_up = [-(-1000 * n // 30) for n in range(200)]
    assert not is_variable(rounded_up)
    assert is_variable([moment + 2 * (n == 100) for n, moment in enumerate(rounded_up)])
    one_dropped = [3003 * n for n in range(200) if n != 150]
    assert is_variable(one_dropped)


def test_clock_that_begins_late(tmp_path: Path) -> None:
    info = probe(clips.late_start(tmp_path / "late.mkv"))
    assert info.start_time == 1000
    assert info.video.start == 1_000_000 and info.video.time_base == Fraction(1, 1000)
    info = probe(clips.late_start(tmp_path / "late.ts"))
    assert info.start_time == info.video.start * info.video.time_base  # to the tick


def test_ten_bit(tmp_path: Path) -> None:
    video = probe(clips.ten_bit(tmp_path / "ten.mp4")).video
    assert (video.codec, video.format.name, video.format.bits) == ("hevc", "yuv420p10le", 10)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_hdr10(tmp_path: Path, suffix: str) -> None:
    video = probe(clips.hdr10(tmp_path / f"hdr{suffix}")).video
    assert video.color.is_hdr and video.guesses == ()
    assert (video.tagged.matrix, video.tagged.range) == (Matrix.BT2020_NCL, Range.LIMITED)
    assert (video.tagged.primaries, video.tagged.transfer) == (9, 16)
    assert video.content_light == ContentLight(1000, 400)
    display = video.mastering_display
    assert display is not None and display.primaries is not None
    unit = Fraction(1, 50000)
    red, green, blue = display.primaries
    assert red == (34000 * unit, 16000 * unit)
    assert green == (13250 * unit, 34500 * unit)
    assert blue == (7500 * unit, 3000 * unit)
    assert display.white_point == (15635 * unit, 16450 * unit)
    assert display.luminance == (Fraction(1, 10000), 1000)


def test_chroma_location(tmp_path: Path) -> None:
    for number, location in ((0, ChromaLocation.LEFT), (2, ChromaLocation.TOPLEFT)):
        path = clips.clip(tmp_path / f"{number}.mp4", "-x264-params", f"chromaloc={number}")
        assert probe(path).video.tagged.chroma_location is location


def test_full_range(tmp_path: Path) -> None:
    video = probe(clips.full_range(tmp_path / "full.mp4")).video
    assert (video.tagged.matrix, video.tagged.range) == (Matrix.BT709, Range.FULL)
    assert (video.tagged.primaries, video.tagged.transfer) == (1, 1)
    assert video.guesses == ()


def test_odd_size_and_sample_shape(tmp_path: Path) -> None:
    odd = probe(clips.odd_size(tmp_path / "odd.mkv")).video
    assert (odd.width, odd.height) == (63, 47)
    assert odd.format.plane_size(1, 63, 47) == (24, 32)
    wide = probe(clips.anamorphic(tmp_path / "wide.mp4")).video
    assert wide.sample_aspect_ratio == Fraction(16, 11)


@pytest.mark.parametrize(
    ("degrees", "mirrored", "orientation"),
    [
        (0, True, Orientation.MIRROR),
        (90, False, Orientation.TURN_270),  # ffmpeg counts against the clock
        (180, False, Orientation.TURN_180),
        (270, False, Orientation.TURN_90),
    ],
)
def test_rotation(tmp_path: Path, degrees: int, mirrored: bool, orientation: Orientation) -> None:
    path = clips.rotated(tmp_path / "turned.mp4", degrees, mirrored=mirrored)
    assert probe(path).video.orientation is orientation
    assert (probe(path).video.width, probe(path).video.height) == (64, 48)


@pytest.mark.parametrize("first", ["top", "bottom"])
@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".mp4"), ("mpeg2video", ".ts")])
def test_interlaced(tmp_path: Path, codec: str, suffix: str, first: str) -> None:
    path = clips.interlaced(tmp_path / f"woven{suffix}", codec, first=first)
    video = probe(path).video
    assert video.interlaced
    assert video.field_order in (("tt", "tb") if first == "top" else ("bb", "bt"))


def test_all_kinds_of_streams(tmp_path: Path) -> None:
    info = probe(clips.everything(tmp_path / "all.mkv"))
    assert [stream.index for stream in info.streams] == [0, 1, 2, 3, 4]
    first, second = info.audio
    assert (first.codec, first.language, first.sample_rate) == ("aac", "eng", 44100)
    assert (first.channels, first.layout) == (1, "mono")
    assert (second.codec, second.language, second.disposition) == ("opus", "deu", ("comment",))
    assert second.metadata["title"] == "Commentary"
    assert second.start is not None and second.start * second.time_base > Fraction(24, 100)
    (subtitle,) = info.subtitles
    assert (subtitle.codec, subtitle.language, subtitle.bitmap) == ("subrip", "fra", False)
    (font,) = info.others
    assert (font.kind, font.file_name) == ("attachment", "all.ttf")
    assert font.mime_type == "application/x-truetype-font"
    assert [(c.title, c.start, c.end) for c in info.chapters] == [("One", 0, 1), ("Two", 1, 2)]
    assert info.metadata["title"] == "Everything"


def test_cover_is_not_the_video(tmp_path: Path) -> None:
    info = probe(clips.with_cover(tmp_path / "cover.mp4"))
    assert (info.video.codec, info.video.width) == ("h264", 64)
    assert [other.kind for other in info.others] == ["cover"]


def test_default_video_then_largest(tmp_path: Path) -> None:
    def both(name: str, *dispositions: str) -> int:
        ffmpeg(
            "-f", "lavfi", "-i", clips.source(5), "-f", "lavfi",
            "-i", clips.source(5, size=(96, 72)), "-map", "0", "-map", "1", "-c:v", "mpeg4",
            *dispositions, tmp_path / name,
        )  # fmt: skip
        info = probe(tmp_path / name)
        assert [other.kind for other in info.others] == ["video"]
        return info.video.index

    assert both("a.mkv", "-disposition:v:0", "default", "-disposition:v:1", "0") == 0
    assert both("b.mkv", "-disposition:v:0", "default", "-disposition:v:1", "default") == 1


@pytest.mark.parametrize("name", ["tone.wav", "tone.mp4"])
def test_audio_only(tmp_path: Path, name: str) -> None:
    path = clips.audio_only(tmp_path / name)
    with pytest.raises(InputError) as caught:
        probe(path)
    assert str(caught.value) == f"{path}: no video (it holds audio)"


def test_cover_only(tmp_path: Path) -> None:
    path = clips.cover_only(tmp_path / "song.m4a")
    with pytest.raises(InputError) as caught:
        probe(path)
    assert str(caught.value) == f"{path}: no video but a cover picture (it holds audio)"


def test_no_decodable_frame(tmp_path: Path) -> None:
    whole = clips.clip(tmp_path / "whole.mkv", codec="ffv1")
    data = bytearray(whole.read_bytes())
    start = data.index(b"\x1f\x43\xb6\x75")  # the first cluster
    for offset in range(start + 40, len(data) - 600):
        data[offset] = 0xFF
    path = tmp_path / "broken.mkv"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        probe(path)
    assert str(caught.value) == f"{path}: none of its first video frames can be decoded"


def test_absurd_size_takes_no_memory(tmp_path: Path) -> None:
    """An AVI header may claim any size; raw video of it would need 12 GB."""
    path = clips.clip(tmp_path / "huge.avi", codec="rawvideo")
    data = path.read_bytes()
    at = data.index(b"strf") + 8
    assert struct.unpack_from("<ii", data, at + 4) == (64, 48)
    path.write_bytes(data[: at + 4] + struct.pack("<ii", 65000, 65000) + data[at + 12 :])
    with pytest.raises(InputError) as caught:
        probe(path)
    assert str(caught.value) == (
        f"{path}: none of its first video frames can be decoded:"
        " no picture size, or one beyond 268 megapixels"
    )


def test_description(tmp_path: Path) -> None:
    info = probe(clips.everything(tmp_path / "all.mkv"))
    text = describe(info)
    assert text.splitlines()[0] == str(tmp_path / "all.mkv")
    for words in (
        "h264 (High), 64x48, yuv420p, 10 fps",
        "guess      untagged 64x48 video: assuming BT.601 (smpte170m) matrix",
        "audio #2   opus, 48000 Hz, mono [deu, comment]",
        "subtitle #3   subrip [fra]",
        "attachment #4   unknown all.ttf",
        "chapter    1.000 to 2.000 s Two",
    ):
        assert words in text


def test_json(tmp_path: Path) -> None:
    answer = json.loads(to_json(probe(clips.anamorphic(tmp_path / "wide.mp4"))))
    assert answer["video"] == 0 and answer["duration"] == 1.0
    (video,) = answer["streams"]
    assert video["type"] == "video" and video["sample_aspect_ratio"] == "16/11"
    assert video["color"]["range"] == "limited" and video["orientation"] == "upright"


@pytest.mark.parametrize("first", [0, 2], ids=["from the start", "later"])
def test_closed_captions_are_named(tmp_path: Path, first: int) -> None:
    plain = clips.clip(tmp_path / "plain.h264", "-f", "h264")
    assert not probe(plain).warnings
    # ATSC A/53 part 4: user data of provider 0x31 in an SEI message of registered user data.
    data = b"\xb5\x00\x31GA94\x03\xc1\xff\xfc\x94\x2c\xff"
    message = b"\x00\x00\x01\x06\x04" + bytes([len(data)]) + data + b"\x80"
    captioned = tmp_path / "captioned.h264"
    head, *slices = re.split(rb"(?=\x00\x00\x01[\x41\x65\x01])", plain.read_bytes())
    captioned.write_bytes(
        head + b"".join(one if i < first else message + one for i, one in enumerate(slices))
    )
    assert probe(captioned).warnings == ("the closed captions inside its video are left out",)
