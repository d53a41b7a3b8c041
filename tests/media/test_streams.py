"""Everything but the picture comes out as it went in, and in step with the picture."""

from __future__ import annotations

import re
import subprocess
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from ffmpeg import FFMPEG, describe, ffmpeg, packet_hashes, video_times

from vsrcli.errors import UsageError
from vsrcli.media.encoders import EncodeOptions, Picture, choose, container_of
from vsrcli.media.probe import probe
from vsrcli.media.reader import VideoReader
from vsrcli.media.streams import CarriedStreams, Cut, output_shift
from vsrcli.media.writer import MovieWriter


def recode(
    source: Path,
    target: Path,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    audio: str = "copy",
    subtitles: str = "copy",
) -> list[str]:
    """The picture encoded anew at its own size, the rest carried over; the notes."""
    info = probe(source)
    video = info.video
    shape = (video.width, video.height, video.format, video.color)
    picture = Picture(*shape, video.average_rate or Fraction(25))
    container = container_of(target)
    preset = {"webm": "8"}.get(container, "ultrafast")
    plan = choose(EncodeOptions(preset=preset), picture, container)
    absolute = [None if t is None else info.start_time + t for t in (start, end)]
    shift = output_shift(info.format, info.start_time, video.time_base, absolute[0])
    cut = Cut(absolute[0], absolute[1], shift)
    with (
        CarriedStreams(
            source, video.index, container, audio=audio, subtitles=subtitles, cut=cut  # type: ignore[arg-type]
        ) as carried,
        VideoReader(source, info=info, start=start, end=end) as frames,
        MovieWriter(
            target, container, plan, time_base=frames.time_base, shift=shift, video=video,
            metadata=info.metadata, carried=carried,
            sample_aspect_ratio=video.sample_aspect_ratio,
        ) as writer,
    ):  # fmt: skip
        for frame in frames:
            assert frame.format == plan.format
            writer.write(frame)
        return carried.notes


def distances(path: Path, stream: str) -> list[float]:
    """Seconds from the first video frame to each packet of a stream."""
    first = video_times(path)[0]
    return [time - first for time, _ in packet_hashes(path, stream)]


def assert_copied(
    source: Path, target: Path, streams: Sequence[tuple[str, str]], tick: float
) -> None:
    """The packets are the same, and each as far from the picture as before."""
    for before, after in streams:
        sent, got = packet_hashes(source, before), packet_hashes(target, after)
        assert [md5 for _, md5 in got] == [md5 for _, md5 in sent]
        assert distances(target, after) == pytest.approx(distances(source, before), abs=tick)


def subtitle_text(path: Path, stream: str = "0:s:0", start: bool = False) -> str:
    return ffmpeg("-i", path, "-map", stream, "-f", "srt", "-").decode()


def chapters(path: Path) -> list[tuple[float, float, str]]:
    found = re.findall(r"start ([\d.]+), end ([\d.]+)\s+Metadata:\s+title +: (.*)", describe(path))
    return [(float(start), float(end), title) for start, end, title in found]


# Times are rounded on reading and on writing to the clocks of both files.
MILLISECOND = 0.0011


def test_matroska_to_matroska(tmp_path: Path) -> None:
    source, target = clips.everything(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    assert recode(source, target) == []
    assert_copied(source, target, [(s, s) for s in ("0:a:0", "0:a:1", "0:s:0")], MILLISECOND)
    assert video_times(target) == pytest.approx(video_times(source), abs=MILLISECOND)
    assert chapters(target) == chapters(source) == [(0, 1, "One"), (1, 2, "Two")]
    text = describe(target)
    assert "0:1(eng): Audio: aac" in text
    assert re.search(
        r"0:2\(deu\): Audio: opus.*\(comment\)\s+Metadata:\s+title +: Commentary", text
    )
    assert "0:3(fra): Subtitle: subrip" in text
    for tag in ("title           : Everything", "ARTIST          : Nobody"):
        assert tag in text
    font = tmp_path / "font"
    subprocess.run(
        [FFMPEG, "-v", "error", "-y", "-dump_attachment:t:0", font, "-i", target], check=False
    )
    assert font.read_bytes() == source.with_suffix(".ttf").read_bytes()
    assert "mimetype        : application/x-truetype-font" in text


def test_wide_samples_beside_everything_else(tmp_path: Path) -> None:
    """In Matroska they are written into the finished file, whose other parts must not move."""
    source, target = tmp_path / "wide.mkv", tmp_path / "out.mkv"
    cover = tmp_path / "cover.jpg"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", cover)
    everything = clips.everything(tmp_path / "in.mkv")
    ffmpeg(
        "-i", everything, "-map", "0", "-c", "copy", "-aspect", "2:1", "-attach", cover,
        "-metadata:s:t:1", "mimetype=image/jpeg", source,
    )  # fmt: skip
    assert recode(source, target) == []
    text = describe(target)
    assert "SAR 3:2 DAR 2:1" in text
    assert "Attachment: ttf" in text and "(attached pic)" in text
    assert_copied(source, target, [(s, s) for s in ("0:a:0", "0:a:1", "0:s:0")], MILLISECOND)
    assert chapters(target) == chapters(source)
    ffmpeg("-err_detect", "crccheck+explode", "-ss", "1", "-i", target, "-f", "null", "-")


def test_matroska_to_mp4(tmp_path: Path) -> None:
    source, target = clips.everything(tmp_path / "in.mkv"), tmp_path / "out.mp4"
    assert recode(source, target) == [
        "stream 3 (subtitle subrip, fra) becomes mov_text: mp4 wants that",
        "stream 4 (attachment in.ttf) is left out: mp4 cannot hold it; .mkv may",
    ]
    assert_copied(source, target, [("0:a:0", "0:a:0"), ("0:a:1", "0:a:1")], MILLISECOND)
    assert subtitle_text(target) == subtitle_text(source)
    assert chapters(target) == chapters(source)
    text = describe(target)
    for part in ("(eng): Audio: aac", "(deu): Audio: opus", "(fra): Subtitle: mov_text"):
        assert part in text


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """MP4 with AAC and its priming, subtitles with styles, a cover, chapters and a timecode."""
    words = tmp_path / "words.srt"
    words.write_text(
        "1\n00:00:00,200 --> 00:00:00,800\nplain & <b>bold</b> {not a tag}\nsecond line\n\n"
        "2\n00:00:00,900 --> 00:00:01,400\n<i>italic</i> Größe 日本\n"
    )
    marks = tmp_path / "marks.ffmeta"
    marks.write_text(
        ";FFMETADATA1\ntitle=Phone\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=700\ntitle=Start\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=700\nEND=2000\ntitle=Rest\n"
    )
    cover = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", cover)
    path = tmp_path / "phone.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(50, "25"), "-f", "lavfi", "-i", "sine=d=2",
        "-f", "lavfi", "-i", "sine=f=880:d=2", "-i", words, "-i", marks, "-i", cover,
        "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map", "5", "-map_metadata", "4",
        "-c:v:0", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", "-c:v:1", "copy",
        "-disposition:v:1", "attached_pic", "-c:a:0", "aac", "-c:a:1", "ac3",
        "-metadata:s:a:1", "language=fra", "-c:s", "mov_text", "-timecode", "01:02:03:04", path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_mp4_to_others(tmp_path: Path, phone: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    notes = recode(phone, target)
    assert_copied(phone, target, [("0:a:0", "0:a:0"), ("0:a:1", "0:a:1")], MILLISECOND)
    if suffix != ".mkv":
        # To the tick: both clocks are the same.
        assert_copied(phone, target, [("0:a:0", "0:a:0"), ("0:a:1", "0:a:1")], 1e-6)
        assert video_times(target) == pytest.approx(video_times(phone), abs=1e-6)
        assert "timecode        : 01:02:03:04" in describe(target)
        assert "Data: none (tmcd" in describe(target)
    assert "(fra): Audio: ac3" in describe(target)
    # Matroska cannot begin before zero: all its streams begin later by the AAC priming.
    late = 0.024 if suffix == ".mkv" else 0.001
    shown = [(line.split(" --> ")) for line in subtitle_text(target).splitlines() if "-->" in line]
    meant = [(line.split(" --> ")) for line in subtitle_text(phone).splitlines() if "-->" in line]
    for times, wanted in zip(shown, meant, strict=True):
        assert [clock(t) for t in times] == pytest.approx([clock(t) for t in wanted], abs=late)
    spoken = re.sub(r".*-->.*", "", subtitle_text(target))
    assert spoken == re.sub(r".*-->.*", "", subtitle_text(phone))
    assert "<b>bold</b>" in spoken and "<i>italic</i> Größe 日本" in spoken
    assert [title for _, _, title in chapters(target)] == ["Start", "Rest"]
    if suffix == ".mov":
        assert notes == ["stream 7 (cover png) is left out: mov cannot hold it; .mkv may"]
        return
    assert notes == [
        note
        for note in ["stream 3 (subtitle mov_text) becomes subrip: matroska wants that"]
        if suffix == ".mkv"
    ]
    picture = ffmpeg("-i", target, "-map", "0:v:1", "-c", "copy", "-f", "rawvideo", "-")
    assert picture == (tmp_path / "cover.png").read_bytes()


def clock(text: str) -> float:
    hours, minutes, seconds = text.strip().replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_a_cover_comes_back_from_matroska(tmp_path: Path, phone: Path) -> None:
    recode(phone, tmp_path / "one.mkv")
    recode(tmp_path / "one.mkv", tmp_path / "two.mkv")
    recode(tmp_path / "two.mkv", tmp_path / "three.mp4")
    for name in ("one.mkv", "two.mkv", "three.mp4"):
        picture = ffmpeg(
            "-i", tmp_path / name, "-map", "0:v:1", "-c", "copy", "-f", "rawvideo", "-"
        )
        assert picture == (tmp_path / "cover.png").read_bytes()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("offset", ["0.5", "-0.3", "0.0107"])
def test_audio_that_starts_elsewhere(tmp_path: Path, suffix: str, offset: str) -> None:
    """Later or earlier than a picture of uneven times, in a file with edit lists."""
    picture = clips.variable_rate(tmp_path / "picture.mp4")
    source = tmp_path / "in.mp4"
    ffmpeg(
        "-i", picture, "-itsoffset", offset, "-f", "lavfi", "-i", "sine=d=1", "-map", "0:v",
        "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-video_track_timescale", "1000",
        "-avoid_negative_ts", "disabled" if offset[0] != "-" else "make_zero", source,
    )  # fmt: skip
    target = tmp_path / f"out{suffix}"
    recode(source, target)
    # Half a tick of the sound and half a tick of the edit list.
    tick = 2e-5 if suffix != ".mkv" else MILLISECOND
    assert_copied(source, target, [("0:a:0", "0:a:0")], tick)
    steps = np.diff(video_times(target))
    assert steps == pytest.approx(np.diff(video_times(source)), abs=tick)


def test_a_clock_that_begins_anywhere(tmp_path: Path) -> None:
    """MPEG-TS begins at 1000 s, with audio 0.4 s before the picture: MP4 begins at zero."""
    source = tmp_path / "in.ts"
    ffmpeg(
        "-itsoffset", "0.4", "-f", "lavfi", "-i", clips.source(20), "-f", "lavfi", "-i", "sine=d=2",
        "-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-output_ts_offset", "1000", source,
    )  # fmt: skip
    target = tmp_path / "out.mp4"
    assert recode(source, target) == []
    # ADTS headers are dropped in MP4, so the packets differ; their times must not.
    assert distances(target, "0:a:0") == pytest.approx(distances(source, "0:a:0"), abs=2e-5)
    assert min(packet_hashes(target, "0:a:0"))[0] == pytest.approx(0, abs=1e-4)
    assert output_shift("mpegts", Fraction("1000.4"), Fraction(1, 90_000)) == Fraction("1000.4")
    assert output_shift("mov,mp4,m4a", Fraction(5), Fraction(1, 90_000)) == 0


def clicks(path: Path, rate: int, codec: Sequence[str]) -> Path:
    """A video with a click in its sound every 0.25 s from 0.25 s on."""
    samples = np.zeros(2 * rate, np.int16)
    samples[[round(rate * n / 4) for n in range(1, 8)]] = 30_000
    sound = path.with_suffix(".wav")
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(20), "-i", sound, "-map", "0:v", "-map", "1:a",
        "-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p", *codec, path,
    )  # fmt: skip
    return path


def click_times(path: Path) -> list[float]:
    """When the clicks of the decoded sound are heard, on the clock of the picture."""
    data = ffmpeg(
        "-i", path, "-map", "0:a:0", "-af", "aresample=48000:async=1:first_pts=0", "-ac", "1",
        "-f", "s16le", "-",
    )  # fmt: skip
    loud = np.abs(np.frombuffer(data, np.int16).astype(float))
    peaks = [
        i for i in np.flatnonzero(loud > 4000) if loud[i] == loud[max(0, i - 500) : i + 500].max()
    ]
    return [peak / 48_000 for peak in peaks]


@pytest.mark.parametrize(
    ("rate", "target", "audio", "codec"),
    [
        (44_100, "out.mp4", "copy", "aac"),
        (48_000, "out.mp4", "copy", "aac"),
        (48_000, "out.webm", "copy", "opus"),
        (44_100, "out.webm", "copy", "opus"),
        (22_050, "out.mkv", "flac", "flac"),
        (44_100, "out.mkv", "mp3", "mp3"),
        (44_100, "out.mov", "ac3", "ac3"),
        (32_000, "out.mov", "copy", "pcm_s16le"),
        (44_100, "out.ts", "copy", "aac"),
    ],
)
def test_pcm_that_a_container_cannot_hold(
    tmp_path: Path, rate: int, target: str, audio: str, codec: str
) -> None:
    source = clicks(tmp_path / "in.avi", rate, ["-c:a", "pcm_s16le"])
    out = tmp_path / target
    notes = recode(source, out, audio=audio)
    changed = audio == "copy" and codec != "pcm_s16le"
    assert notes == [
        note
        for note in [f"stream 1 (audio pcm_s16le) becomes {codec}: {container_of(out)} wants that"]
        if changed
    ]
    assert f"Audio: {codec}" in describe(out)
    heard = click_times(out)
    first = video_times(out)[0] if target.endswith((".mkv", ".ts")) else 0
    assert heard == pytest.approx([first + 0.25 * n for n in range(1, 8)], abs=0.0015)


@pytest.mark.parametrize("target", ["out.mp4", "out.ts"])
def test_converted_sound_ends_with_the_cut(tmp_path: Path, target: str) -> None:
    source = clicks(tmp_path / "in.mov", 48_000, ["-c:a", "pcm_s16le"])
    out = tmp_path / target
    recode(source, out, start=Fraction("0.5"), end=Fraction("1.3"))
    first = video_times(out)[0]
    heard = click_times(out)
    assert heard == pytest.approx([first + 0.25 * n for n in range(4)], abs=0.0015)


def test_sound_whose_last_frame_has_no_time(tmp_path: Path) -> None:
    """Windows Media: the decoder holds a frame back and gives it out without a time stamp."""
    source = clicks(tmp_path / "in.wmv", 44_100, ["-c:v", "wmv2", "-c:a", "wmav2"])
    out = tmp_path / "out.mp4"
    recode(source, out)
    assert click_times(out) == pytest.approx([0.25 * n for n in range(1, 8)], abs=0.0015)


def test_surround_sound_in_opus(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(10), "-f", "lavfi", "-i",
        "aevalsrc=0.1*sin(880*t)|0|0|0|0|0:c=5.1(side):d=1", "-c:v", "libx264",
        "-pix_fmt", "yuv420p", "-c:a", "flac", source,
    )  # fmt: skip
    recode(source, tmp_path / "out.webm")
    assert re.search(r"Audio: opus, 48000 Hz, 5\.1", describe(tmp_path / "out.webm"))


def test_no_audio_and_no_subtitles(tmp_path: Path) -> None:
    source, target = clips.everything(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    assert recode(source, target, audio="none", subtitles="none") == []
    text = describe(target)
    assert "Audio:" not in text and "Subtitle:" not in text and "Attachment:" in text
    with pytest.raises(UsageError, match="--audio wma: choose copy, none or one of aac, opus"):
        recode(source, target, audio="wma")


def test_the_same_codec_is_not_encoded_again(tmp_path: Path, phone: Path) -> None:
    target = tmp_path / "out.mp4"
    recode(phone, target, audio="aac")
    assert_copied(phone, target, [("0:a:0", "0:a:0")], 1e-6)
    assert describe(target).count("Audio: aac") == 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_shifts_everything_alike(tmp_path: Path, suffix: str) -> None:
    source, target = clips.everything(tmp_path / "in.mkv"), tmp_path / f"out{suffix}"
    recode(source, target, start=Fraction("0.5"), end=Fraction("1.5"))
    times = video_times(target)
    late = times[0]
    assert late == pytest.approx(0, abs=0.025)
    assert times == pytest.approx([late + 0.1 * n for n in range(10)], abs=MILLISECOND)
    for stream in ("0:a:0", "0:a:1"):
        sent = [(time - 0.5, md5) for time, md5 in packet_hashes(source, stream)]
        got = [(time - late, md5) for time, md5 in packet_hashes(target, stream)]
        # One packet that begins before the cut but ends in it.
        wanted = [pair for pair in sent if -0.023 < pair[0] < 1]
        assert [md5 for _, md5 in got] == [md5 for _, md5 in wanted]
        assert [t for t, _ in got] == pytest.approx([t for t, _ in wanted], abs=MILLISECOND)
    words = subtitle_text(target)
    shown = [
        clock(part) for line in words.splitlines() if "-->" in line for part in line.split("-->")
    ]
    assert shown == pytest.approx([late + t for t in (0, 0.4, 0.5, 1.0)], abs=0.002)
    assert [title for *_, title in chapters(target)] == ["One", "Two"]
    assert [start for start, *_ in chapters(target)] == pytest.approx([0, 0.5])


def test_a_timecode_does_not_outlive_a_cut(tmp_path: Path, phone: Path) -> None:
    target = tmp_path / "out.mov"
    notes = recode(phone, target, start=Fraction(1))
    assert "the timecode is left out: it counts from before the cut" in notes
    assert "timecode  " not in describe(target) and "tmcd" not in describe(target)


def test_a_cut_far_into_the_file(tmp_path: Path) -> None:
    """Beyond the distance from which the source is read from its beginning."""
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=40", "-f", "lavfi", "-i",
        "sine=d=40:beep_factor=4", "-c:v", "libx264", "-g", "20", "-pix_fmt", "yuv420p",
        "-c:a", "aac", source,
    )  # fmt: skip
    recode(source, target, start=Fraction(25), end=Fraction(27))
    sent = [(time - 25, md5) for time, md5 in packet_hashes(source, "0:a:0")]
    wanted = [pair for pair in sent if -1024 / 44_100 < pair[0] < 2]
    got = packet_hashes(target, "0:a:0")
    assert [md5 for _, md5 in got] == [md5 for _, md5 in wanted]
    assert [t for t, _ in got] == pytest.approx([t for t, _ in wanted], abs=2e-5)
    assert video_times(target) == pytest.approx([0.1 * n for n in range(20)], abs=1e-6)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_damaged_sources(tmp_path: Path, suffix: str) -> None:
    """A broadcast with a hole, and with a part of it sent twice: times jump back."""
    whole = clips.with_audio(tmp_path / "whole.ts", "-bf", "0", frames=40)
    data = whole.read_bytes()
    packets = [data[i : i + 188] for i in range(0, len(data), 188)]
    third = len(packets) // 3
    audio = [p for p in packets if (p[1] & 31) << 8 | p[2] == 0x101]
    source = tmp_path / "in.ts"
    source.write_bytes(
        b"".join([*packets[:third], *audio[10:30], *packets[third : 2 * third]])
        + b"".join([bytes(188), *packets[2 * third + 5 :]])
    )
    target = tmp_path / f"out{suffix}"
    recode(source, target)
    sent, got = packet_hashes(whole, "0:a:0"), packet_hashes(target, "0:a:0")
    times = [time for time, _ in got]
    assert times == sorted(times)
    # What was sent twice, 20 transport packets of sound, is kept once; one that was split there
    # counts for two.
    assert 0.9 * len(sent) < len(got) <= len(sent) + 1
    assert 30 <= len(video_times(target)) <= 40


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_packets_that_share_a_time(tmp_path: Path, suffix: str) -> None:
    """Sound in packets of a third of a millisecond, on Matroska's clock of one millisecond."""
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(3), "-f", "lavfi", "-i",
        "sine=r=48000:d=0.3,asetnsamples=16", "-c:v", "libx264", "-pix_fmt", "yuv420p",
        "-c:a", "pcm_s16le", source,
    )  # fmt: skip
    assert len(packet_hashes(source, "0:a:0")) == 900
    recode(source, target)
    sound = [
        ffmpeg("-i", p, "-map", "0:a", "-f", "s16le", "-c", "copy", "-") for p in (source, target)
    ]
    assert len(sound[0]) == 28_800
    assert sound[0] == sound[1]


def test_styled_subtitles(tmp_path: Path) -> None:
    """ASS keeps its styles in Matroska; MP4 gets its words."""
    script = tmp_path / "in.ass"
    script.write_text(
        "[Script Info]\nScriptType: v4.00+\nPlayResX: 64\nPlayResY: 48\n\n[V4+ Styles]\n"
        "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, "
        "BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, "
        "BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
        "Style: Fancy,Serif,20,&H00FF00FF,&H0,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,1,1,1,1\n\n"
        "[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:00.10,0:00:00.50,Fancy,,0,0,0,,One, {\\\\b1}two{\\\\b0}\\\\Nthree\n"
        "Dialogue: 1,0:00:00.10,0:00:00.40,Fancy,,0,0,0,,At the same time\n"
    )
    source = tmp_path / "in.mkv"
    picture = clips.clip(tmp_path / "picture.mkv")
    ffmpeg("-i", picture, "-i", script, "-map", "0", "-map", "1", "-c", "copy", source)
    assert recode(source, tmp_path / "out.mkv") == []
    assert_copied(source, tmp_path / "out.mkv", [("0:s:0", "0:s:0")], MILLISECOND)
    scripts = [
        ffmpeg("-i", path, "-c", "copy", "-f", "ass", "-")
        for path in (source, tmp_path / "out.mkv")
    ]
    assert scripts[0] == scripts[1]
    assert b"Style: Fancy,Serif" in scripts[1]
    recode(source, tmp_path / "out.mp4")
    words = subtitle_text(tmp_path / "out.mp4")
    assert "One, <b>two</b>" in words and "three" in words and "At the same time" in words


def test_streams_are_interleaved(tmp_path: Path) -> None:
    """A source that keeps its tracks apart: a player of the output never has to seek."""
    source = tmp_path / "in.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=20", "-f", "lavfi", "-i", "sine=d=20",
        "-f", "lavfi", "-i", "sine=f=99:d=8", "-map", "0", "-map", "1", "-map", "2", "-c:v",
        "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-max_interleave_delta", "1", source,
    )  # fmt: skip
    for suffix in (".mkv", ".mp4"):
        target = tmp_path / f"out{suffix}"
        recode(source, target)
        reached: dict[int, float] = {}
        with av.open(str(target)) as file:
            packets = [p for p in file.demux() if p.pos is not None and p.dts is not None]
            for packet in sorted(packets, key=lambda p: p.pos or 0):
                reached[packet.stream.index] = float(packet.dts * packet.time_base)
                ends = [t for i, t in reached.items() if i < 2]
                assert max(ends) - min(ends) < 1.2


def test_sources_are_read_no_further_than_the_picture(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=30", "-f", "lavfi", "-i", "sine=d=30",
        "-f", "lavfi", "-i", "sine=d=5", "-map", "0", "-map", "1", "-map", "2",
        "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", source,
    )  # fmt: skip

    class Counting(CarriedStreams):
        latest = Fraction(0)

        def _mux(self, packet: av.Packet[av.stream.Stream]) -> None:
            assert packet.dts is not None
            self.latest = max(self.latest, packet.dts * packet.time_base)
            super()._mux(packet)

    with Counting(source, 0, "matroska") as carried, av.open(str(tmp_path / "o.mkv"), "w") as out:
        carried.add_to(out)
        for seconds in (1, 4, 10, 20):
            carried.advance(Fraction(seconds))
            # The stream that ends at 5 s must not make the other one be read to its end.
            assert seconds <= carried.latest <= seconds + 3.1


def test_telemetry_is_kept(tmp_path: Path) -> None:
    """GoPro's data track; ffmpeg cannot make one, so subtitles are renamed into it."""
    words = tmp_path / "words.srt"
    words.write_text(
        "1\n00:00:00,200 --> 00:00:00,800\nGPS\n\n2\n00:00:00,900 --> 00:00:01,000\nB\n"
    )
    source = tmp_path / "in.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(), "-i", words, "-map", "0", "-map", "1", "-c:v",
        "libx264", "-pix_fmt", "yuv420p", "-c:s", "mov_text", source,
    )  # fmt: skip
    data = source.read_bytes()
    assert data.count(b"tx3g") == 1 and data.count(b"sbtl") == 1
    source.write_bytes(data.replace(b"tx3g", b"gpmd").replace(b"sbtl", b"meta"))
    target = tmp_path / "out.mp4"
    assert recode(source, target) == []
    assert "Data: bin_data (gpmd" in describe(target)
    assert_copied(source, target, [("0:d:0", "0:d:0")], 1e-6)
    assert recode(source, tmp_path / "out.mkv") == [
        "stream 1 (data bin_data) is left out: matroska cannot hold it"
    ]


def test_bitmap_subtitles(tmp_path: Path) -> None:
    """They cannot become text: Matroska keeps them, WebM does not, and says so."""
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,200 --> 00:00:00,800\nx\n")
    pictures = tmp_path / "words.mkv"
    # Text to bitmap is beyond ffmpeg: DVD subtitles from a blank picture, made with PyAV's muxer.
    with av.open(str(pictures), "w") as out:
        stream = out.add_mux_stream("dvd_subtitle", time_base=Fraction(1, 1000))
        for index in range(2):
            packet = av.Packet(bytes.fromhex("0010000a0000010c0000ff00000000ff"))
            packet.stream = stream
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = 200 + 400 * index
            packet.duration = 300
            out.mux(packet)
    source = tmp_path / "in.mkv"
    picture = clips.clip(tmp_path / "picture.mkv")
    ffmpeg("-i", picture, "-i", pictures, "-map", "0", "-map", "1", "-c", "copy", source)
    assert recode(source, tmp_path / "out.mkv") == []
    assert_copied(source, tmp_path / "out.mkv", [("0:s:0", "0:s:0")], MILLISECOND)
    notes = recode(source, tmp_path / "out.webm")
    assert notes == ["stream 1 (subtitle dvd_subtitle) is left out: webm cannot hold it; .mkv may"]


def test_a_second_picture_is_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(), "-f", "lavfi", "-i", "color=red:s=32x32:d=1:r=10",
        "-map", "0", "-map", "1", "-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", source,
    )  # fmt: skip
    assert recode(source, target) == [
        "stream 1 (video h264) is copied as it is, only one is enlarged"
    ]
    assert_copied(source, target, [("0:v:1", "0:v:1")], MILLISECOND)
