"""Opening media files without trusting them.

Local files only: a media file can be a playlist that names other files or addresses, and a name can
be a protocol. libavformat is told which protocols and which formats it may use before it reads a
byte, and every name is handed over as `file:NAME`.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from vsrcli.errors import InputError
from vsrcli.media.truncation import missing_bytes

MAX_DIMENSION = 65535
"""Greatest width or height of a picture, in samples."""
MAX_PIXELS = 1 << 28
"""Greatest number of samples in a picture (16384 x 16384): beyond it no memory is taken."""

NETWORK_TIMEOUT = 30.0
"""Seconds without data after which an address that was allowed is given up."""

# What a protocol needs below it.
_CARRIERS = {
    "ftp": ("tcp",),
    "gopher": ("tcp",),
    "hls": ("crypto", "data"),
    "http": ("tcp", "httpproxy"),
    "https": ("http", "httpproxy", "tls", "tcp"),
    "rtmp": ("tcp",),
    "rtmps": ("tls", "tcp"),
    "rtsp": ("rtp", "udp", "tcp"),
    "srt": ("udp",),
}
_NETWORK = {
    "ftp", "gopher", "gophers", "http", "https", "mms", "mmsh", "mmst", "rtmp", "rtmpe", "rtmps",
    "rtmpt", "rtmpte", "rtmpts", "rtp", "rtsp", "rtsps", "sftp", "srt", "srtp", "tcp", "tls", "udp",
}  # fmt: skip

_MOST_BOXES = 1000
"""Of an MP4 file, looked at to tell what is wrong with it."""

# Formats that read other files, addresses or devices than the one named, or run a script.
_REACHING = {
    "avisynth", "concat", "dash", "dvdvideo", "hls", "image2", "imf", "lavfi", "mlv", "rtp", "rtsp",
    "sap", "sdp", "vapoursynth", "vobsub", "webm_dash_manifest",
}  # fmt: skip
# Text and scripts that FFmpeg would draw, or whose only content is tags.
_TEXT = {"adf", "bin", "ffmetadata", "idf", "tty", "xbin"}

_BROKEN_OFF = (av.InvalidDataError, av.EOFError)
"""What FFmpeg answers to a file that ends where it looks for more."""

_PLAYLISTS = (
    (re.compile(rb"#EXTM3U"), "hls"),
    (re.compile(rb"ffconcat version"), "concat"),
    (re.compile(rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<MPD\b", re.DOTALL), "dash"),
    (re.compile(rb"v=0\r?\n"), "sdp"),
)


def open_input(
    source: str | os.PathLike[str],
    *,
    allow_protocols: Sequence[str] = (),
    format: str | None = None,
    hwaccel: HWAccel | None = None,
) -> InputContainer:
    """The opened media file, to be used as a context manager.

    `allow_protocols` names what is trusted beyond local files: protocols (`http`, `https` ...) and
    playlist formats (`hls`, `dash`, `concat`). `format` forces a demuxer,
    `hwaccel` says where to decode.
    Undecodable bytes in tags are replaced by U+FFFD. FFmpeg prints nothing.
    InputError when the file is missing, empty, no media, damaged beyond reading, or refused.
    """
    name = os.fspath(source)
    allowed = {protocol.lower() for protocol in allow_protocols}
    protocol = _protocol(name)
    if protocol is None:
        check_file(name)
    elif protocol not in allowed:
        raise InputError(_protocol_refused(name, protocol))
    protocols = ["file", *sorted(allowed)]
    protocols += [carrier for one in sorted(allowed) for carrier in _CARRIERS.get(one, ())]
    options = {
        "protocol_whitelist": ",".join(dict.fromkeys(protocols)),
        "format_whitelist": ",".join(sorted(_formats() - ((_REACHING | _TEXT) - allowed))),
        "max_pixels": str(MAX_PIXELS),
    }

    def opened(**more: str) -> InputContainer:
        return av.open(
            f"file:{name}" if protocol is None else name,
            mode="r",
            format=format,
            options={**options, **more},
            hwaccel=hwaccel,
            metadata_errors="replace",
            timeout=None if protocol is None else NETWORK_TIMEOUT,
        )

    try:
        return opened()
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, _BROKEN_OFF) and protocol is None and missing_bytes(name):
            # Of an MP4 that breaks off in the header of a fragment FFmpeg reads what comes before
            # as long as it cannot look ahead.
            with contextlib.suppress(av.FFmpegError):
                return opened(seekable="0")
        if protocol is not None:
            raise InputError(f"{name}: cannot be read: {_reason(error)}") from error
        raise InputError(_diagnosis(name, allowed, error)) from error


def check_file(name: str) -> None:
    """Pass when `name` is a readable regular file that is not empty; InputError otherwise."""
    try:
        status = Path(name).stat()
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: no such file") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{name}: is a folder, not a media file")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{name}: is a pipe or a device; give a regular file")
    if status.st_size == 0:
        raise InputError(f"{name}: the file is empty (0 bytes)")
    if not os.access(name, os.R_OK):
        raise InputError(f"{name}: no permission to read it")


def check_size(name: str, width: int, height: int) -> None:
    """Pass when a picture of this size may be decoded; InputError otherwise."""
    if width > MAX_DIMENSION or height > MAX_DIMENSION or width * height > MAX_PIXELS:
        raise InputError(
            f"{name}: claims a picture of {width}x{height}, beyond the limit of"
            f" {MAX_PIXELS // 1_000_000} megapixels; the file is damaged or hostile"
        )


@functools.cache
def _formats() -> frozenset[str]:
    """Names of every demuxer of this FFmpeg, apart from devices."""
    names = set()
    for name in av.formats_available:
        try:
            demuxer = av.ContainerFormat(name, "r")
        except ValueError:  # it only writes
            continue
        if not demuxer.no_file or name == "image2":
            names.add(name)
    return frozenset(names)


def _protocol(name: str) -> str | None:
    """The protocol that `name` asks for, or None when it is the name of a file."""
    # Two characters at least: `C:\clip.mp4` is a file.
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)[,:]", name)
    if match is None or os.path.lexists(name):
        return None
    protocol = match[1].lower()
    if name[match.end(1)] == ":" and name[match.end() : match.end() + 1] == "/":
        return protocol
    return protocol if protocol in _pseudo_protocols() | _NETWORK else None


def _pseudo_protocols() -> set[str]:
    """Protocols of FFmpeg that wrap others or read something else than a file on disk."""
    return {
        "async", "bluray", "cache", "concat", "concatf", "crypto", "data", "fd", "ffrtmphttp",
        "file", "md5", "pipe", "prompeg", "subfile", "tee", "unix",
    }  # fmt: skip


def _protocol_refused(name: str, protocol: str) -> str:
    if protocol in _NETWORK:
        return (
            f"{name}: network addresses are refused; download it first or pass"
            f" --allow-protocol {protocol}"
        )
    return f"{name}: the protocol {protocol} is refused; give the name of a file"


def _diagnosis(name: str, allowed: set[str], error: Exception) -> str:
    """One line on why a file that exists could not be opened."""
    with Path(name).open("rb") as file:
        head = file.read(4096)
        playlist = next((kind for start, kind in _PLAYLISTS if start.match(head.lstrip())), None)
        if playlist is not None and playlist not in allowed:
            return (
                f"{name}: is a playlist ({playlist}), which reads other files; pass"
                f" --allow-protocol {playlist} if you trust it"
            )
        if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip") and not _has_moov(file):
            return (
                f"{name}: the MP4/MOV index (moov) is missing: the recording or download was cut"
                " short; fetch it again or repair it first"
            )
    if _is_text(head):
        return f"{name}: not a media file (it holds text)"
    # FFmpeg makes "busy" of the error that it gets for the size in a Y4M file's header.
    if isinstance(error, av.InvalidDataError) or error.args[:1] == (errno.EBUSY,):
        return f"{name}: not a media file, or damaged at its beginning"
    if isinstance(error, av.ArgumentError):
        return f"{name}: is damaged, or of a kind that may read other files, which is refused"
    return f"{name}: cannot be read: {_reason(error)}"


def _has_moov(file: BinaryIO) -> bool:
    """Whether an MP4/MOV file has its index among its outermost boxes."""
    offset, end = 0, file.seek(0, os.SEEK_END)
    for _ in range(_MOST_BOXES):
        if offset >= end:
            break
        file.seek(offset)
        header = file.read(16)
        if len(header) < 8:
            return False
        if header[4:8] == b"moov":
            return True
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8:  # zero: the box reaches to the end of the file
            return False
        offset += size
    return False


def _is_text(head: bytes) -> bool:
    printable = set(range(32, 127)) | set(b"\t\n\r\f\x1b")
    try:
        head[: len(head) - len(head) % 4].decode("utf-8")
    except UnicodeDecodeError:
        return all(byte in printable for byte in head)
    return all(byte in printable or byte >= 128 for byte in head)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).replace("\n", " ")
