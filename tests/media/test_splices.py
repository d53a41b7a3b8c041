"""Recordings joined end to end have one clock again; all others are left alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import clips
import pytest
from ffmpeg import ffmpeg

from vsrcli.media.reader import VideoReader
from vsrcli.media.splices import Joiner, find_splices, may_have_splices


def recording(path: Path, offset: float, *options: str) -> Path:
    """A second of picture and sound on a clock that begins anywhere."""
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(10), "-f", "lavfi", "-i", "sine=duration=1",
        "-c:v", "mpeg2video", "-c:a", "mp2", *options, "-output_ts_offset", str(offset), path,
    )  # fmt: skip
    return path


def times(path: Path) -> dict[str, list[float]]:
    """Decoding times of the packets on the one clock, in seconds, by the kind of stream."""
    joiner = Joiner(find_splices(str(path)))
    found: dict[str, list[float]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            joiner.move(packet)
            if packet.dts is not None:
                seconds = float(packet.dts * packet.time_base)
                found.setdefault(packet.stream.type, []).append(seconds)
    return found


@pytest.mark.parametrize("offset", [0, 1000, 95442.9])
def test_one_recording_has_none(tmp_path: Path, offset: float) -> None:
    """The clock of the last one passes its greatest number and goes on from zero."""
    assert not find_splices(str(recording(tmp_path / "in.ts", offset)))


@pytest.mark.parametrize("offsets", [(0, 0, 0), (5000, 40, 90000), (0, 20, 10), (3, 3.4, 0)])
def test_parts_follow_each_other(tmp_path: Path, offsets: tuple[float, ...]) -> None:
    parts = [recording(tmp_path / f"{n}.ts", offset) for n, offset in enumerate(offsets)]
    path = clips.concatenated(tmp_path / "in.ts", parts)
    found = times(path)
    for kind, step in (("video", 0.1), ("audio", 0.0262)):
        gaps = [after - before for before, after in pairwise(found[kind])]
        assert min(gaps) > 0.99 * step - 0.001, kind
        assert max(gaps) < step + 0.1, kind
    with VideoReader(path) as reader:
        frames = [float(frame.pts * frame.time_base) for frame in reader]
    assert len(frames) == 30
    assert frames[-1] - frames[0] == pytest.approx(2.9, abs=0.2)
    assert reader.losses == []
    assert reader.warnings == ["its clock starts anew on the way; the parts were joined"]


def test_one_wrong_time_moves_nothing_else(tmp_path: Path) -> None:
    """A hit turns the clock of one piece of sound by hours."""
    path = recording(tmp_path / "in.ts", 0)
    data = bytearray(path.read_bytes())
    starts = [
        at
        for at in range(0, len(data), 188)
        if data[at + 1] & 0x40 and b"\0\0\1\xc0" in data[at : at + 188]
    ]
    header = data.index(b"\0\0\1\xc0", starts[len(starts) // 2])
    data[header + 9] ^= 0x04
    path.write_bytes(data)
    found = times(path)
    for kind in ("video", "audio"):
        assert found[kind][-1] - found[kind][0] == pytest.approx(0.95, abs=0.1), kind


def test_a_gap_of_seconds_is_kept(tmp_path: Path) -> None:
    parts = [recording(tmp_path / f"{n}.ts", offset) for n, offset in enumerate((0, 6))]
    path = clips.concatenated(tmp_path / "in.ts", parts)
    assert not find_splices(str(path))


def test_formats_that_may_have_some() -> None:
    assert may_have_splices("mpegts") and may_have_splices("mpeg")
    for format in ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "images"):
        assert not may_have_splices(format)
