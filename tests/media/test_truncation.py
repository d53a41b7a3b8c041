"""Files that end before they say."""

from __future__ import annotations

from pathlib import Path

import clips
import pytest

from vsrcli.media.reader import VideoReader
from vsrcli.media.truncation import missing_bytes

FRAGMENTS = ("-movflags", "frag_keyframe+empty_moov")


@pytest.mark.parametrize(
    ("name", "options"),
    [("in.mp4", FRAGMENTS), ("in.mov", ()), ("in.mkv", ()), ("in.webm", ()), ("in.avi", ())],
)
def test_the_missing_bytes_are_counted(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    codec = {"in.webm": "libvpx", "in.avi": "mpeg4"}.get(name, "libx264")
    whole = clips.clip(tmp_path / name, "-g", "5", *options, frames=20, codec=codec)
    assert missing_bytes(str(whole)) == 0
    data = whole.read_bytes()
    whole.write_bytes(data[:-100])
    assert missing_bytes(str(whole)) == 100
    whole.write_bytes(data + bytes(3))  # what hangs on behind is nobody's loss
    assert missing_bytes(str(whole)) == 0


def test_a_recording_in_progress_gives_no_account(tmp_path: Path) -> None:
    live = clips.clip(tmp_path / "in.mkv", "-live", "1")
    live.write_bytes(live.read_bytes()[:-100])
    assert missing_bytes(str(live)) == 0
    transport = clips.clip(tmp_path / "in.ts")
    assert missing_bytes(str(transport)) == 0


@pytest.mark.parametrize("inside", [40, 200])
def test_the_reader_says_so(tmp_path: Path, inside: int) -> None:
    """Wherever it breaks off: in pictures, or in the index of a fragment."""
    path = clips.clip(tmp_path / "in.mp4", "-g", "5", *FRAGMENTS, frames=20)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"trun") + inside])
    with VideoReader(path) as reader:
        assert 15 <= len(list(reader)) < 20
    assert reader.losses[-1].startswith("the file was cut short: ")
