"""Files that open, files that must not, and the one line that says why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import clips
import pytest
from ffmpeg import ffmpeg
from quicktime import referring_mov

from vsrcli.errors import InputError
from vsrcli.media.access import open_input


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is also the current one, so that names in messages are short."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(name: str | Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        open_input(name, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["-clip.mp4", "http:clip.mp4", "concat:x|y.mp4", "a b%d'c.mp4"])
def test_names_that_look_like_something_else_are_files(folder: Path, name: str) -> None:
    clips.clip(folder / "plain.mp4").rename(folder / name)
    with open_input(name) as container:
        assert container.streams.video[0].codec_context.width == clips.WIDTH


def test_missing_file(folder: Path) -> None:
    assert refusal("none.mp4") == "none.mp4: no such file"
    assert refusal("none/clip.mp4") == "none/clip.mp4: no such file"


def test_folder(folder: Path) -> None:
    (folder / "clips").mkdir()
    assert refusal("clips") == "clips: is a folder, not a media file"


def test_empty_file(folder: Path) -> None:
    Path("empty.mp4").touch()
    assert refusal("empty.mp4") == "empty.mp4: the file is empty (0 bytes)"


def test_text_named_mp4(folder: Path) -> None:
    Path("text.mp4").write_text("Dear reader,\nthis is no film: äöü.\n")
    assert refusal("text.mp4") == "text.mp4: not a media file (it holds text)"


def test_text_is_not_drawn_as_video(folder: Path) -> None:
    Path("readme.nfo").write_text("\x1b[31mred\x1b[0m\n" * 40)
    assert refusal("readme.nfo") == "readme.nfo: not a media file (it holds text)"


def test_noise_is_not_media(folder: Path) -> None:
    Path("noise.mkv").write_bytes(bytes((n * n * 31 + 7 * n) % 251 for n in range(5000)))
    assert refusal("noise.mkv") == "noise.mkv: not a media file, or damaged at its beginning"


def test_mp4_without_its_index(folder: Path) -> None:
    whole = clips.clip(folder / "whole.mp4")  # the index stands at the end
    clips.truncated(whole, folder / "cut.mp4")
    assert refusal("cut.mp4") == (
        "cut.mp4: the MP4/MOV index (moov) is missing: the recording or download was cut short;"
        " fetch it again or repair it first"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(folder: Path) -> None:
    Path("closed.mp4").write_bytes(b"x")
    Path("closed.mp4").chmod(0)
    assert refusal("closed.mp4") == "closed.mp4: no permission to read it"


def test_pipes_and_devices(folder: Path) -> None:
    os.mkfifo("pipe.mp4")
    assert refusal("pipe.mp4") == "pipe.mp4: is a pipe or a device; give a regular file"
    assert refusal("/dev/zero") == "/dev/zero: is a pipe or a device; give a regular file"
    assert refusal("pipe:0") == "pipe:0: the protocol pipe is refused; give the name of a file"
    assert refusal("-") == "-: no such file"


@pytest.mark.parametrize("protocol", ["http", "https", "rtsp", "udp", "ftp"])
def test_network_addresses(protocol: str) -> None:
    address = f"{protocol}://192.0.2.1/clip.mp4"
    assert refusal(address) == (
        f"{address}: network addresses are refused; download it first or pass"
        f" --allow-protocol {protocol}"
    )


@pytest.mark.parametrize(
    "name", ["concat:canary.ts|canary.ts", "subfile,,start,0,end,99,,:canary.ts", "cache:canary.ts"]
)
def test_protocols_that_wrap_files(folder: Path, name: str) -> None:
    clips.clip(folder / "canary.ts", codec="mpeg2video")
    protocol = name.partition(":")[0].partition(",")[0]
    assert refusal(name) == f"{name}: the protocol {protocol} is refused; give the name of a file"


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ncanary.ts\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile canary.ts\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"/>',
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 5004 RTP/AVP 33\r\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".txt", ".mpd", ".sdp", ".ffconcat"])
def test_playlists_are_refused_by_content(folder: Path, kind: str, suffix: str) -> None:
    name = f"list{suffix}"
    Path(name).write_text(PLAYLISTS[kind], newline="")
    assert refusal(name) == (
        f"{name}: is a playlist ({kind}), which reads other files; pass"
        f" --allow-protocol {kind} if you trust it"
    )


OPENED = """
import sys
from vsrcli.errors import InputError
from vsrcli.media.access import open_input
try:
    open_input(sys.argv[1], allow_protocols=sys.argv[2:])
    print("opened")
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize(("name", "kind"), [("list.m3u8", "hls"), ("list.ffconcat", "concat")])
def test_canary_of_a_playlist_is_read_only_when_allowed(folder: Path, name: str, kind: str) -> None:
    """The canary is a pipe: whoever opens it hangs, and is noticed."""
    os.mkfifo("canary.ts")
    Path(name).write_text(PLAYLISTS[kind])
    command = [sys.executable, "-c", OPENED, name]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert refused.stdout.startswith(f"{name}: is a playlist ({kind})")
    assert refused.stderr == ""
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([*command, kind], capture_output=True, timeout=3, check=False)


def test_allowed_playlist_opens(folder: Path) -> None:
    clips.clip(folder / "canary.ts", codec="mpeg2video")
    Path("list.m3u8").write_text(PLAYLISTS["hls"])
    with open_input("list.m3u8", allow_protocols=["hls"]) as container:
        assert container.streams.video[0].codec_context.width == clips.WIDTH


def test_mov_that_refers_to_another_file(folder: Path) -> None:
    canary = clips.clip(folder / "canary.mov", codec="mpeg4")
    referring_mov(canary, folder / "refers.mov")
    # The reference works: told to follow it, ffmpeg finds the canary's packets.
    ffmpeg(
        "-enable_drefs", "1", "-use_absolute_path", "1", "-i", "refers.mov", "-c", "copy", "o.mov"
    )
    with open_input("refers.mov") as container, open_input("o.mov") as followed:
        assert any(any(bytes(packet)) for packet in followed.demux(video=0))
        assert all(not any(bytes(packet)) for packet in container.demux(video=0))


def test_tags_that_are_not_utf8(folder: Path) -> None:
    clips.clip(folder / "plain.mkv", "-metadata", "title=Fluesse")
    data = Path("plain.mkv").read_bytes()
    Path("latin.mkv").write_bytes(data.replace(b"Fluesse", b"Fl\xfcsse "))
    with open_input("latin.mkv") as container:
        assert container.metadata["title"] == "Fl\ufffdsse "


def test_ffmpeg_prints_nothing(folder: Path) -> None:
    Path("noise.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(2000))
    whole = clips.clip(folder / "whole.mp4")
    clips.smashed(whole, folder / "broken.mp4", at=0.3, length=400)
    for name in ("noise.mkv", "broken.mp4"):
        done = subprocess.run(
            [sys.executable, "-c", OPENED, name], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
