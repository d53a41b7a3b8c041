"""Inputs and outputs that try to reach another file or an address: nothing is opened or asked.

The canaries are watched through inotify, which tells of every opening by any process, and the
address is that of a server on this machine which counts who connects.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import clips
import pytest
from command import Outcome, Vsr
from ffmpeg import describe, ffmpeg
from quicktime import referring_mov

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

MARK = "canary-7b1f0c"
"""Stands in the canaries' tags, and must not in what vsr says or writes."""


@dataclass
class Bait:
    """What a hostile file points to."""

    folder: Path
    """Of the hostile file; `canary.ts` and the other canaries lie in it too."""
    address: str
    """`127.0.0.1:PORT`."""
    connections: list[object]
    """One for each connection that somebody opened to the address."""
    _watch: int

    @property
    def canary(self) -> Path:
        return self.folder / "canary.ts"

    def opened(self) -> int:
        """How often canaries were opened since the last call."""
        try:
            events = os.read(self._watch, 1 << 16)
        except BlockingIOError:
            return 0
        size, count = struct.calcsize("iIII"), 0
        while events:
            (name,) = struct.unpack("12xI", events[:size])
            events, count = events[size + name :], count + 1
        return count


_IN_OPEN = 0x20


@pytest.fixture
def bait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bait]:
    """Canaries in the current folder, which is a new one, and a server."""
    folder = tmp_path / "in"
    folder.mkdir()
    monkeypatch.chdir(folder)
    tags = ("-metadata", f"service_name={MARK}", "-metadata", f"title={MARK}")
    clips.clip(folder / "canary.ts", *tags, codec="mpeg2video", frames=3)
    clips.clip(folder / "canary.mkv", *tags, frames=3)
    clips.clip(folder / "canary.mov", *tags, codec="mpeg4", frames=3)
    (folder / "canary.txt").write_text(MARK)
    with _counting() as (address, connections), _watching(folder.glob("canary*")) as watch:
        yield Bait(folder, address, connections, watch)


@contextlib.contextmanager
def _counting() -> Iterator[tuple[str, list[object]]]:
    """An address, and those who have connected to it and were sent away."""
    connections: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                connection, peer = server.accept()
                with connection:
                    if stopping.is_set():
                        return
                    connections.append(peer)

        stopping = threading.Event()
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", connections
        stopping.set()
        socket.create_connection(server.getsockname()).close()
        thread.join()


@contextlib.contextmanager
def _watching(files: Iterator[Path]) -> Iterator[int]:
    """A descriptor that gets an event whenever one of the files is opened."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert descriptor >= 0
    try:
        for file in files:
            assert libc.inotify_add_watch(descriptor, os.fsencode(file), _IN_OPEN) > 0
        yield descriptor
    finally:
        os.close(descriptor)


def untouched(bait: Bait, *outcomes: Outcome) -> None:
    """Assert that nobody was led to the bait, and that nothing of it came out."""
    assert bait.opened() == 0
    assert bait.connections == []
    for outcome in outcomes:
        assert MARK not in outcome.out + outcome.err
        assert outcome.code == 0 or outcome.err.startswith("vsr: ")
    for path in bait.folder.parent.rglob("*"):
        if path.is_file() and not path.name.startswith("canary"):
            assert MARK.encode() not in path.read_bytes(), path


def test_the_traps_work(vsr: Vsr, bait: Bait) -> None:
    """Whoever is led to the bait is noticed."""
    Path("list.m3u8").write_text(hls("canary.ts"))
    assert vsr("probe", "list.m3u8", "--allow-protocol", "hls").code == 0
    assert bait.opened() > 0
    vsr("probe", f"http://{bait.address}/in.mp4", "--allow-protocol", "http")
    assert bait.connections


NAMES = [
    "concat:canary.ts|canary.ts",
    "concatf:canary.txt",
    "subfile,,start,0,end,0,,:canary.ts",
    "crypto:canary.ts",
    "crypto+file:canary.ts",
    "cache:canary.ts",
    "async:canary.ts",
    "file:canary.ts",
    "file://{folder}/canary.ts",
    "md5:canary.ts",
    "tee:canary.ts",
    "bluray:{folder}",
    "hls+file://{folder}/canary.ts",
    "hls+http://{address}/list.m3u8",
    "data:video/mp4;base64,AAAA",
    "unix:{folder}/canary.ts",
    "http://{address}/in.mp4",
    "HTTP://{address}/in.mp4",
    "https://{address}/in.mp4",
    "ftp://{address}/in.mp4",
    "tcp://{address}",
    "rtsp://{address}/in",
    "rtmp://{address}/in",
    "httpproxy://{address}/in",
    "gopher://{address}/in",
    "ipfs://in",
    "icecast://{address}/in",
    "mmsh://{address}/in",
    "async:http://{address}/in.mp4",
    "cache:http://{address}/in.mp4",
    "concat:http://{address}/a.ts|http://{address}/b.ts",
    "concat,http://{address}/a.ts",
    "testsrc=size=64x48",
    "lavfi:testsrc",
]


@pytest.mark.parametrize("name", NAMES)
def test_names(vsr: Vsr, bait: Bait, name: str) -> None:
    name = name.format(folder=bait.folder, address=bait.address)
    outcomes = vsr("probe", name), vsr("upscale", name, "../out.mkv", "--model", "lanczos")
    assert [outcome.code for outcome in outcomes] == [1, 1]
    untouched(bait, *outcomes)


def hls(uri: str, before: str = "") -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{before}#EXTINF:1,\n{uri}\n#EXT-X-ENDLIST\n"


def dash(uri: str) -> str:
    return (
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
        ' mediaPresentationDuration="PT1S"><Period><AdaptationSet contentType="video">'
        f'<Representation id="v" bandwidth="9"><BaseURL>{uri}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>\n"
    )


LISTS: dict[str, Callable[[str], str]] = {
    "hls": hls,
    "hls, key": lambda uri: hls(uri, f'#EXT-X-KEY:METHOD=AES-128,URI="{uri}"\n'),
    "hls, header": lambda uri: hls(uri, f'#EXT-X-MAP:URI="{uri}"\n'),
    "hls, variants": lambda uri: f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\n{uri}\n",
    "hls, after a mark": lambda uri: "\ufeff" + hls(uri),
    "ffconcat": lambda uri: f"ffconcat version 1.0\nfile {uri}\n",
    "concat without a header": lambda uri: f"file {uri}\n",
    "dash": dash,
    "sdp": lambda uri: (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=video 5004 RTP/AVP 33\r\n"
    ),
    "imf": lambda uri: (
        '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3">'
        f"<Id>urn:uuid:1</Id><ResourceList>{uri}</ResourceList></CompositionPlaylist>"
    ),
    "asx": lambda uri: f'<asx version="3.0"><entry><ref href="{uri}"/></entry></asx>',
    "reference": lambda uri: f"[Reference]\nRef1={uri}\n",
    "smil": lambda uri: f'<smil><body><video src="{uri}"/></body></smil>',
    "svg": lambda uri: (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' width="64" height="48"><image xlink:href="{uri}" width="64" height="48"/></svg>'
    ),
    "vobsub": lambda uri: (
        "# VobSub index file, v7 (do not modify this line!)\nsize: 64x48\nid: en, index: 0\n"
        "timestamp: 00:00:00:000, filepos: 000000000\n"
    ),
    "avisynth": lambda uri: f'FFVideoSource("{uri}")\n',
    "vapoursynth": lambda uri: f'import vapoursynth\nopen("{uri}").read()\n',
    "playlist of names": lambda uri: f"{uri}\n",
}
TARGETS = ["canary.ts", "{folder}/canary.ts", "file:{folder}/canary.ts", "http://{address}/a.ts",
           "concat:canary.ts|canary.ts", "subfile,,start,0,end,0,,:canary.ts",
           "crypto+http://{address}/a.ts", "data:text/plain,x"]  # fmt: skip
SUFFIXES = [".mp4", ".m3u8", ".mpd", ".ffconcat", ".sdp", ".idx", ".avs", ".vpy", ".svg", ".xml",
            ".png", ""]  # fmt: skip


@pytest.mark.parametrize("kind", LISTS)
def test_lists(vsr: Vsr, bait: Bait, kind: str) -> None:
    """Under every name, and pointing to everything."""
    (bait.folder / "canary.sub").write_bytes(bait.canary.read_bytes())
    bait.opened()
    tried = [(suffix, TARGETS[0]) for suffix in SUFFIXES]
    tried += [(SUFFIXES[0], target) for target in TARGETS[1:]]
    for suffix, target in tried:
        name = f"list{suffix}"
        uri = target.format(folder=bait.folder, address=bait.address)
        Path(name).write_text(LISTS[kind](uri), encoding="utf-8")
        outcome = vsr("probe", name)
        assert outcome.code == 1 and outcome.out == "", (name, uri)
        untouched(bait, outcome)


@pytest.mark.parametrize("kind", ["hls", "ffconcat", "dash", "svg"])
def test_lists_as_jobs(vsr: Vsr, bait: Bait, kind: str) -> None:
    Path("list.mp4").write_text(LISTS[kind]("canary.ts"))
    outcome = vsr("upscale", "list.mp4", "../out.mkv", "--model", "lanczos")
    assert outcome.code == 1
    untouched(bait, outcome)


def mov_by_alias(bait: Bait) -> Path:
    """A MOV whose samples are those of another file."""
    path = referring_mov(bait.folder / "canary.mov", Path("in.mov"))
    path.write_bytes(path.read_bytes().replace(MARK.encode(), b"m" * len(MARK)))
    return path


def mov_by_url(bait: Bait) -> Path:
    """A MOV whose data reference is an address."""
    path = mov_by_alias(bait)
    data = path.read_bytes()
    at = data.index(b"alis")
    size = int.from_bytes(data[at - 4 : at], "big") - 12
    url = f"http://{bait.address}/a.mov".encode().ljust(size, b"\0")
    path.write_bytes(data[:at] + b"url " + bytes(4) + url + data[at + 8 + size :])
    return path


def reference_movie(bait: Bait) -> Path:
    """A MOV that only names another one (QuickTime's rmra, rmda and rdrf)."""

    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content) + 8) + name + content

    url = f"file://{bait.folder}/canary.mov\0".encode()
    reference = box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(url)) + url)
    movie = box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"rmra", box(b"rmda", reference)))
    Path("in.mov").write_bytes(movie)
    return Path("in.mov")


def linked_matroska(bait: Bait) -> Path:
    """A Matroska segment that names the next one; the name takes the place of a title."""
    name = b"canary.mkv"
    text = "t" * (len(name) + 1)  # whose identifier is a byte shorter
    path = clips.clip(Path("in.mkv"), "-write_crc32", "0", "-metadata", f"title={text}", frames=3)
    title = b"\x7b\xa9" + bytes([0x80 + len(text)]) + text.encode()
    follows = b"\x3e\x83\xbb" + bytes([0x80 + len(name)]) + name
    data = path.read_bytes()
    assert data.count(title) == 1
    path.write_bytes(data.replace(title, follows))
    return path


@pytest.mark.parametrize(
    "make", [mov_by_url, mov_by_alias, reference_movie, linked_matroska], ids=lambda f: f.__name__
)
def test_containers(vsr: Vsr, bait: Bait, make: Callable[[Bait], Path]) -> None:
    source = make(bait)
    bait.opened()
    outcomes = vsr("probe", source), vsr("upscale", source, "../out.mkv", "--model", "lanczos")
    untouched(bait, *outcomes)


def with_attachments(bait: Bait) -> Path:
    """Matroska with subtitles that name a font and a picture, and files that are called by paths
    outside the folder."""
    Path("a.ass").write_text(
        "[Script Info]\nScriptType: v4.00+\nPlayResX: 64\n[V4+ Styles]\nFormat: Name, Fontname\n"
        f"Style: Default,{bait.folder}/canary.txt\n[Events]\n"
        "Format: Layer, Start, End, Style, Text\n"
        "Dialogue: 0,0:00:00.00,0:00:01.00,Default,{\\fncanary.txt}{\\1img(canary.txt)}hello\n"
    )
    Path("font.ttf").write_bytes(bytes(range(256)))
    names = ("../../evil.ttf", "/tmp/vsr-evil.ttf", "canary.txt")
    attached: list[str] = []
    for index, name in enumerate(names):
        attached += ["-attach", "font.ttf", f"-metadata:s:t:{index}", f"filename={name}"]
        attached += [f"-metadata:s:t:{index}", "mimetype=application/x-truetype-font"]
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(3), "-i", "a.ass", *attached,
        "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:s", "ass", "in.mkv",
    )  # fmt: skip
    return Path("in.mkv")


@pytest.mark.parametrize("target", ["out.mkv", "out.mp4"])
def test_attachments_stay_inside(vsr: Vsr, bait: Bait, target: str) -> None:
    source = with_attachments(bait)
    before = sorted(bait.folder.parent.parent.rglob("*"))
    outcome = vsr("upscale", source, f"../{target}", "--model", "lanczos")
    assert outcome.code == 0, outcome
    untouched(bait, outcome)
    made = {*bait.folder.parent.parent.rglob("*")} - {*before}
    assert made == {bait.folder.parent / target}
    assert not Path("/tmp/vsr-evil.ttf").exists()
    # As tags the names come through: what they mean is the player's business.
    assert ("../../evil.ttf" in describe(bait.folder.parent / target)) == (target == "out.mkv")


OUTPUTS = [
    ("http://{address}/out.mp4", "there is no folder"),
    ("tcp://{address}/out.mkv", "there is no folder"),
    ("file:///{folder}/none/out.mp4", "there is no folder"),
    ("http://{address}/%d.png", "there is no folder"),
    ("http:out.mp4", None),
    ("tcp:{address}.mp4", None),
    ("tee:a.mkv|b.mkv", None),
    ("[f=mpegts]udp:{address}|x.mp4", None),
    ("concat:a.mp4|b.mp4", None),
    ("subfile,,start,0,end,0,,:canary.mkv", None),
    ("crypto:out.mkv", None),
    ("md5:out.mp4", None),
    ("out%03d.mp4", None),
    ("out.m3u8", "no container"),
    ("out.mpd", "no container"),
    ("out.ffconcat", "no container"),
    ("out.sdp", "no container"),
    ("pipe:1", "no container"),
    ("tee:", "no container"),
]


@pytest.mark.parametrize(("name", "said"), OUTPUTS)
def test_outputs(vsr: Vsr, bait: Bait, name: str, said: str | None) -> None:
    """Names that mean something else to FFmpeg are the names of files, or refused."""
    name = name.format(folder=bait.folder, address=bait.address)
    clips.clip(Path("plain.mp4"), frames=2)
    before = {*bait.folder.iterdir()}
    outcome = vsr("upscale", "plain.mp4", name, "--model", "lanczos", "--scale", "1")
    made = {*bait.folder.iterdir()} - before
    if said is None:
        assert outcome.code == 0, outcome
        assert made == {bait.folder / name}
    else:
        assert outcome.code == 1 and said in outcome.err
        assert not made
    untouched(bait, outcome)
