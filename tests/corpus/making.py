"""What hard files are made of."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
from ffmpeg import ffmpeg

SMOOTH = "gblur=sigma=1.5"
"""Pictures that survive being enlarged and made small again."""


def film(path: Path, *options: str | Path, video_filter: str = "null", **more: Any) -> Path:
    """`clips.clip` of smooth pictures."""
    return clips.clip(path, *options, video_filter=f"{SMOOTH},{video_filter}", **more)


def movie(
    path: Path,
    *options: str | Path,
    frames: int = 20,
    rate: str = "10",
    sound: float | None = None,
    late: tuple[float, float] = (0, 0),
    video: str = "libx264",
    audio: str = "aac",
    pix_fmt: str = "yuv420p",
) -> Path:
    """Smooth pictures and noise, `sound` seconds of it (as long as the picture), each `late`."""
    seconds = float(frames / Fraction(rate)) if sound is None else sound
    ffmpeg(
        "-itsoffset", str(late[0]), "-f", "lavfi", "-i", clips.source(frames, rate),
        "-itsoffset", str(late[1]), "-f", "lavfi", "-i",
        f"anoisesrc=duration={seconds}:seed=1:sample_rate=44100:amplitude=0.2",
        "-vf", SMOOTH, "-c:v", video, "-pix_fmt", pix_fmt, "-threads", "1", "-c:a", audio,
        *options, path,
    )  # fmt: skip
    return path


def remuxed(path: Path, source: Path, *options: str | Path) -> Path:
    """The packets of `source` in another file."""
    ffmpeg("-i", source, "-map", "0", "-c", "copy", *options, path)
    return path


def with_edits(path: Path, source: Path, edits: Sequence[tuple[int, int]]) -> Path:
    """An MP4 whose first track, the video, has other edits: (duration, first media time) each.

    Durations are in the file's clock (1/1000 s), media times in the track's; -1 is a gap. The
    index stands behind the media, so that it may grow.
    """
    data = source.read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    entries = b"".join(struct.pack(">Iihh", *edit, 1, 0) for edit in edits)
    body = struct.pack(">II", 0, len(edits)) + entries
    box = struct.pack(">I", 8 + len(body)) + b"elst" + body
    start = data.index(b"elst") - 4
    old = int.from_bytes(data[start : start + 4], "big")
    changed = bytearray(data[:start] + box + data[start + old :])
    for name in (b"moov", b"trak", b"edts"):
        at = data.index(name) - 4
        size = int.from_bytes(data[at : at + 4], "big") + len(box) - old
        changed[at : at + 4] = size.to_bytes(4, "big")
    path.write_bytes(changed)
    return path


def patched(path: Path, source: Path, old: bytes, new: bytes, count: int = 1) -> Path:
    """A copy in which the first `count` occurrences of some bytes are others."""
    data = source.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, count))
    return path


def presentation_graphics(path: Path) -> Path:
    """PGS subtitles, as on Blu-ray: a white box of 8x4 from 0.2 s to 0.8 s."""
    row = b"\x00\x88\x01\x00\x00"  # eight pixels of the first colour, end of the line
    picture = struct.pack(">HH", 8, 4) + 4 * row

    def segment(seconds: float, kind: int, body: bytes) -> bytes:
        return b"PG" + struct.pack(">IIBH", round(90000 * seconds), 0, kind, len(body)) + body

    def composition(number: int, shown: bool) -> bytes:
        placed = struct.pack(">HBBHH", 0, 0, 0, 4, 40) if shown else b""
        state = 0x80 if shown else 0
        return struct.pack(">HHBHBBBB", 64, 48, 0x10, number, state, 0, 0, shown) + placed

    window = struct.pack(">BBHHHH", 1, 0, 4, 40, 8, 4)
    palette = bytes((0, 0, 1, 235, 128, 128, 255))
    length = len(picture).to_bytes(3, "big")
    path.write_bytes(
        segment(0.2, 0x16, composition(0, True))
        + segment(0.2, 0x17, window)
        + segment(0.2, 0x14, palette)
        + segment(0.2, 0x15, b"\0\0\0\xc0" + length + picture)
        + segment(0.2, 0x80, b"")
        + segment(0.8, 0x16, composition(1, False))
        + segment(0.8, 0x17, window)
        + segment(0.8, 0x80, b"")
    )
    return path


def text(path: Path) -> Path:
    """Two subtitles, the first in italics."""
    path.write_text(
        "1\n00:00:00,200 --> 00:00:00,900\n<i>first</i> line\n\n"
        "2\n00:00:01,000 --> 00:00:01,800\nsecond line\n"
    )
    return path


def with_streams(path: Path, *inputs: Path, options: Sequence[str | Path] = ()) -> Path:
    """A film with sound and, copied unless `options` say otherwise, the streams of `inputs`."""
    main = movie(path.with_name("main.mkv"))
    files = [word for one in inputs for word in ("-i", one)]
    maps = [word for n in range(len(inputs)) for word in ("-map", str(n + 1))]
    ffmpeg("-i", main, *files, "-map", "0", *maps, "-c", "copy", *options, path)
    return path


def packed(path: Path, source: Path) -> Path:
    """An AVI whose B-frames lie in the packet of the picture before them, as DivX packed them.

    The packet that a B-frame leaves holds a picture that is not coded. `source` has one B-frame
    between two others and no sound.
    """
    data = source.read_bytes()
    start = data.index(b"movi") + 4
    end = start - 8 + int.from_bytes(data[start - 8 : start - 4], "little") + 4
    chunks = []
    position = start
    while position < end - 8:
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        chunks.append(data[position + 8 : position + 8 + size])
        position += 8 + size + size % 2

    def kind(chunk: bytes) -> int:
        return chunk[chunk.index(b"\0\0\1\xb6") + 4] >> 6

    mark = b"\0\0\1\xb2DivX503b1393p"
    together, rest = [], list(chunks)
    while rest:
        chunk = rest.pop(0)
        if rest and kind(rest[0]) == 2:
            together += [chunk + rest.pop(0), b"\0\0\1\xb6\x57\xf3\x1f"]
        else:
            together.append(chunk)
    head = together[0].index(b"\0\0\1\xb6")
    together[0] = together[0][:head] + mark + together[0][head:]
    media, index = b"", b""
    for number, chunk in enumerate(together):
        flag = 0x10 if number == 0 else 0
        index += b"00dc" + struct.pack("<III", flag, 4 + len(media), len(chunk))
        media += b"00dc" + struct.pack("<I", len(chunk)) + chunk + bytes(len(chunk) % 2)
    body = data[8 : start - 8] + struct.pack("<I", 4 + len(media)) + b"movi" + media
    body += b"idx1" + struct.pack("<I", len(index)) + index
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def cover_first(path: Path, source: Path) -> Path:
    """An MP4 whose tags, and with them its cover, stand before its tracks."""
    data = source.read_bytes()
    moov = data.index(b"moov") - 4
    size = int.from_bytes(data[moov : moov + 4], "big")
    inside = data[moov + 8 : moov + size]
    trak, udta = inside.index(b"trak") - 4, inside.rindex(b"udta") - 4
    assert data.index(b"mdat") < moov and trak < udta
    ordered = inside[:trak] + inside[udta:] + inside[trak:udta]
    path.write_bytes(data[: moov + 8] + ordered + data[moov + size :])
    return path


def described(path: Path, source: Path, kind: bytes, body: bytes, codec: bytes = b"avc1") -> Path:
    """A MOV or MP4 with one more box in the description of its video."""
    data = source.read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    box = struct.pack(">I4s", 8 + len(body), kind) + body
    entry = data.index(codec, data.index(b"stsd")) - 4
    end = entry + int.from_bytes(data[entry : entry + 4], "big")
    changed = bytearray(data[:end] + box + data[end:])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        at = data.index(name, data.index(b"moov")) - 4
        grown = int.from_bytes(data[at : at + 4], "big") + len(box)
        changed[at : at + 4] = grown.to_bytes(4, "big")
    grown = end - entry + len(box)
    changed[entry : entry + 4] = grown.to_bytes(4, "big")
    path.write_bytes(changed)
    return path


def with_clean_aperture(
    path: Path, source: Path, size: tuple[int, int], shift: tuple[int, int]
) -> Path:
    """A MOV whose pictures are shown in part: of `size`, `shift` right of and below the middle."""
    body = struct.pack(">8i", size[0], 1, size[1], 1, shift[0], 1, shift[1], 1)
    return described(path, source, b"clap", body)


def with_icc_profile(path: Path, source: Path) -> Path:
    """A PNG with a profile of which readers look at no more than that it is for RGB."""
    profile = bytes(12) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(88) + bytes(4)
    body = b"iCCPtest\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    data = source.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])
    return path


def telecined(path: Path, source: Path) -> Path:
    """MPEG-2 that asks for every second picture to be shown for three fields instead of two."""
    data = bytearray(source.read_bytes())
    start = b"\0\0\1\xb5"
    position, pictures = data.find(start), 0
    while position >= 0:
        kind = data[position + 4] >> 4
        if kind == 1:  # the sequence: no longer progressive
            data[position + 5] &= ~0x08
        elif kind == 8:
            data[position + 7] |= 0x82 if pictures % 2 else 0x80
            pictures += 1
        position = data.find(start, position + 4)
    path.write_bytes(data)
    return path
