"""What damaged files have brought to light, each made here by the few bytes that matter."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import clips
import pytest
from av.container import InputContainer
from ffmpeg import describe, ffmpeg

from vsrcli.errors import InputError
from vsrcli.jobs.job import run_job
from vsrcli.jobs.options import JobOptions, TargetSize
from vsrcli.media.demuxing import demuxed
from vsrcli.media.images import probe_source
from vsrcli.media.reader import VideoReader
from vsrcli.media.truncation import missing_bytes

SAME_SIZE = JobOptions(model="lanczos", target=TargetSize(scale=Fraction(1)))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_of_an_unknown_codec_is_left_out(tmp_path: Path, suffix: str) -> None:
    source = clips.with_audio(tmp_path / "in.mp4", frames=5)
    data = bytearray(source.read_bytes().replace(b"mp4a", b"zzzz"))
    decoder = data.index(b"\x04\x80\x80\x80", data.index(b"esds"))
    assert data[decoder + 5] == 0x40  # AAC
    data[decoder + 5] = 0xFE
    source.write_bytes(data)
    target = tmp_path / f"out{suffix}"
    report = run_job(str(source), target, SAME_SIZE)
    assert report.frames == 5
    said = [*report.notes, *report.warnings, *report.losses]
    assert any("stream 1 (audio unknown" in line and "is left out" in line for line in said)
    assert "Audio" not in describe(target)


def test_subtitles_of_an_unknown_codec_are_left_out(tmp_path: Path) -> None:
    source = clips.everything(tmp_path / "in.mkv")
    data = source.read_bytes()
    assert data.count(b"S_TEXT/UTF8") == 1
    source.write_bytes(data.replace(b"S_TEXT/UTF8", b"S_TEXT/ZZZZ"))
    report = run_job(str(source), tmp_path / "out.mkv", SAME_SIZE)
    said = [*report.notes, *report.warnings, *report.losses]
    assert any("(subtitle unknown" in line and "is left out" in line for line in said)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_sound_without_a_rate_is_left_out(tmp_path: Path, suffix: str) -> None:
    """None of its packets can be read, so nothing is known of it."""
    source = tmp_path / "in.ts"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(5), "-f", "lavfi", "-i", "sine=duration=0.5",
        "-c:v", "mpeg2video", "-r", "25", "-c:a", "mp2", source,
    )  # fmt: skip
    sync = source.read_bytes().count(b"\xff\xfd")
    assert sync > 5
    source.write_bytes(source.read_bytes().replace(b"\xff\xfd", bytes(2)))
    with av.open(str(source)) as container:
        assert container.streams.audio[0].sample_rate == 0
    report = run_job(str(source), tmp_path / f"out{suffix}", SAME_SIZE)
    said = [*report.notes, *report.warnings, *report.losses]
    assert any("(audio mp" in line and "is left out" in line for line in said)


@pytest.mark.parametrize("size", [(2, 2), (4, 4), (16, 6), (4, 16)])
def test_interlaced_pictures_of_a_few_samples(tmp_path: Path, size: tuple[int, int]) -> None:
    """Too small for bwdif."""
    path = clips.clip(
        tmp_path / "in.mkv", "-field_order", "tt", "-flags", "+ildct+ilme", frames=3, size=size,
        codec="ffv1", video_filter="setfield=tff",
    )  # fmt: skip
    for mode in ("auto", "on"):
        with VideoReader(path, deinterlace=mode) as reader:  # type: ignore[arg-type]
            assert sum(1 for _ in reader) == 3


@pytest.mark.parametrize("size", [1 << 62, 1 << 63, (1 << 64) - 1])
def test_a_box_of_exabytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "in.mp4"
    box = struct.pack(">I4sQ", 1, b"mdat", size)
    path.write_bytes(b"\0\0\0\x10ftypisom" + bytes(4) + box + bytes(99))
    with pytest.raises(InputError, match=r"in\.mp4: the MP4/MOV index"):
        probe_source(str(path))
    assert missing_bytes(str(path)) > 1 << 60


def test_an_ebml_header_of_exabytes(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    path.write_bytes(b"\x1a\x45\xdf\xa3\x01" + b"\xff" * 6 + b"\xf0" + bytes(99))
    assert missing_bytes(str(path)) == 0


def test_a_matroska_file_that_ends_in_a_size(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    path.write_bytes(b"\x1a\x45\xdf\xa3\x10\x00\x00")
    assert missing_bytes(str(path)) == 0
    with pytest.raises(InputError, match=r"in\.mkv: not a media file"):
        probe_source(str(path))


def test_a_stream_that_appears_late_takes_nothing_away() -> None:
    class Surprised:
        """As PyAV's container when it does not know a stream of the file."""

        def demux(self, *streams: object) -> Iterator[int]:
            yield from (1, 2)
            raise IndexError("list index out of range")

    assert list(demuxed(cast(InputContainer, Surprised()), [])) == [1, 2]
