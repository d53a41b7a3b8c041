"""`--sandbox-decode`, and what comes out of files onto the terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import clips
import pytest
from command import Vsr
from ffmpeg import ffmpeg, frame_hashes

from vsrcli.media import sandbox as sandbox_module
from vsrcli.media.info import MediaInfo
from vsrcli.media.sandbox import Sandbox


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Sandbox]:
    """Every sandbox that the command makes."""
    made: list[Sandbox] = []

    class Counted(Sandbox):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(sandbox_module, "Sandbox", Counted)
    return made


def test_on_and_off_give_the_same(vsr: Vsr, tmp_path: Path, begun: list[Sandbox]) -> None:
    source = clips.with_audio(tmp_path / "in.mp4", frames=5)
    words = ("upscale", source, "--model", "lanczos", "--scale", "2")
    for name, options in (("on", ()), ("off", ("--sandbox-decode", "off"))):
        found = vsr(*words[:2], tmp_path / f"{name}.mkv", *words[2:], *options)
        assert found.code == 0, found
        assert len(begun) == 1, name
    assert frame_hashes(tmp_path / "on.mkv", "yuv420p") == frame_hashes(
        tmp_path / "off.mkv", "yuv420p"
    )
    assert begun[0]._process.poll() is not None, "it ends with the job"


def test_a_crash_is_one_line(
    vsr: Vsr, tmp_path: Path, begun: list[Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = Sandbox.probe

    def crashing(self: Sandbox, source: str, **looking: Any) -> MediaInfo:
        info = probe(self, source, **looking)
        os.kill(self._process.pid, signal.SIGSEGV)
        return info

    monkeypatch.setattr(Sandbox, "probe", crashing)
    source = clips.clip(tmp_path / "in.mp4", frames=50)
    found = vsr("upscale", source, tmp_path / "out.mkv", "--model", "lanczos")
    assert found.code == 1
    assert found.err == (
        f"vsr: {source}: its decoder crashed (SIGSEGV): it is damaged or hostile\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_tags_do_not_steer_the_terminal(vsr: Vsr, tmp_path: Path) -> None:
    """Colours, a new title of the window, a line over the one before."""
    evil = "\x1b[31mred\x1b]0;title\x07\rover\x9b2J\u202eesrever"
    chapters = tmp_path / "chapters.ffmeta"
    chapters.write_text(
        f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle={evil}\n"
    )
    source = tmp_path / f"in{evil[:5]}.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(5), "-i", chapters, "-map_metadata", "1",
        "-map_chapters", "1", source,
    )  # fmt: skip
    for words in (
        ("probe", source),
        ("upscale", source, tmp_path / "none" / "out.mkv", "--model", "lanczos"),
        ("upscale", source, tmp_path / "out.mkv", "--model", "lanczos", "--dry-run"),
    ):
        said = vsr(*words)
        text = said.out + said.err
        assert text
        assert not set(text) & {"\x1b", "\x07", "\r", "\x9b", "\u202e"}, words
    assert "red" in vsr("probe", source).out
