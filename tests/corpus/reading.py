"""What the static ffmpeg, the second reader, sees of a file in one run."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from ffmpeg import FFMPEG

_CHANNELS = {"rgb24": 3, "rgba": 4}
_PASSED = ("-fps_mode", "passthrough", "-enc_time_base", "demux")


@dataclass(frozen=True)
class Stream:
    """A stream and its packets, undecoded."""

    kind: str
    """video, audio, subtitle, data or attachment."""
    language: str
    dispositions: frozenset[str]
    extradata: str
    """Hash of what an attachment holds."""
    content: str
    """Hash of all packets' bytes, one after the other."""
    times: tuple[float, ...]
    """Of the packets, in seconds; containers part PCM sound as they like."""


@dataclass(frozen=True)
class Seen:
    """A file as the second reader sees it."""

    container: str
    streams: dict[int, Stream]
    """By their numbers in the file."""
    video: int
    """Number of the video stream looked at."""
    chapters: tuple[tuple[float, float, str], ...]
    """(start, end, title)."""
    times: tuple[float, ...]
    """Of the frames, in seconds."""
    size: tuple[int, int]
    """(width, height) as shown."""
    aspect: Fraction
    """Of samples; 1 where nothing is said."""
    interlaced: bool
    """Of the first frame."""
    color: frozenset[str]
    """Words of the colour tags."""
    bits: int
    """Of a sample."""
    pictures: np.ndarray
    """(frames, height, width, channels) uint8, in the size asked for."""


def look(
    path: Path,
    *,
    video: str = "0:V:0",
    view: str = "null",
    size: tuple[int, int] | None = None,
    pix_fmt: str = "rgb24",
    adts: tuple[int, ...] = (),
    opening: tuple[str, ...] = (),
) -> Seen:
    """Decode a file's video and hash its other streams.

    `size` (width, height) is that of the pictures wanted; None: their own. `adts` are the numbers
    of the sounds whose packets may carry ADTS headers, which only some containers want. `opening`
    are options that stand before the input.
    """
    scale = "scale=w={}:h={}".format(*(size or ("iw", "ih")))
    plain = [word for n in adts for word in (f"-bsf:a:{n}", "aac_adtstoasc")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = subprocess.run(
            [
                FFMPEG, "-hide_banner", "-nostdin", "-copyts", "-copy_unknown", "-threads", "1",
                *opening, "-i", path,
                "-map", video, *_PASSED, "-pix_fmt", pix_fmt, "-f", "rawvideo",
                "-vf", f"{view},{scale}:flags=area+accurate_rnd+full_chroma_int", folder / "video",
                "-map", video, *_PASSED, "-f", "framehash", "-hash", "crc32", folder / "frames",
                "-map", video, "-frames:v", "1", "-pix_fmt", "yuv444p", "-f", "yuv4mpegpipe",
                folder / "first",
                "-map", "0", "-c", "copy", *plain, "-f", "framehash", "-hash", "md5",
                folder / "packets",
                "-map", "0", "-c", "copy", *plain, "-f", "streamhash", "-hash", "md5",
                folder / "whole",
            ],
            capture_output=True, check=False,
        )  # fmt: skip
        said = done.stderr.decode(errors="replace")
        assert (folder / "whole").exists(), said
        samples = np.fromfile(folder / "video", np.uint8)
        frames, packets, whole = (
            (folder / name).read_text() for name in ("frames", "packets", "whole")
        )
        first = (folder / "first").read_bytes()[:200].decode("ascii", "replace")
    header = dict((word[:1], word[1:]) for word in first.partition("\n")[0].split(" ")[1:])
    shown = int(header.get("W", 0)), int(header.get("H", 0))
    width, height = size or shown
    mapped = re.search(r"Stream #0:(\d+) -> #0:0 ", said)
    index = int(mapped[1]) if mapped else -1
    words = re.search(rf"Stream #0:{index}\D.*Video: .*?, (\w+)(?:\(([^)]*)\))?, \d+x\d+", said)
    return Seen(
        container=_found(r"Input #0, (\S+), from", said),
        streams=_streams(said, packets, whole),
        video=index,
        chapters=tuple(
            (float(start), float(end), title)
            for start, end, title in re.findall(
                r"Chapter #0:\d+: start (\S+), end (\S+)\n(?: +Metadata:\n +title +: (.*))?", said
            )
        ),
        times=_times(frames).get(0, ()),
        size=shown,
        aspect=_aspect(header.get("A", "0:0")),
        interlaced=header.get("I", "p") not in ("p", "?"),
        color=_color(words[2] or "") if words else frozenset(),
        bits=_bits(words[1]) if words else 8,
        pictures=samples.reshape(-1, max(height, 1), max(width, 1), _CHANNELS[pix_fmt]),
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""


def _aspect(text: str) -> Fraction:
    width, height = map(int, text.split(":"))
    return Fraction(width, height) if width and height else Fraction(1)


def _color(words: str) -> frozenset[str]:
    """The colour words of `tv, bt709, progressive`; one stands for three alike."""
    scan = ("progressive", "first", "coded", "swapped", "bpc", "unknown")
    return frozenset(
        word for word in re.split(r"[,/] ?", words) if not any(part in word for part in scan)
    ) - {""}


def _bits(pix_fmt: str) -> int:
    match = re.search(r"p?(9|10|12|14|16)(le|be)$", pix_fmt)
    packed = {"rgb48": 16, "rgba64": 16, "ya16": 16, "bgr48": 16, "bgra64": 16, "x2rgb10": 10}
    known = next((bits for name, bits in packed.items() if pix_fmt.startswith(name)), None)
    return known or (int(match[1]) if match else 8)


def _times(hashes: str) -> dict[int, tuple[float, ...]]:
    """Seconds of each frame or packet, by the stream's place in the output."""
    base: dict[int, float] = {}
    times: dict[int, list[float]] = {}
    for line in hashes.splitlines():
        if match := re.match(r"#tb (\d+): (\d+)/(\d+)", line):
            base[int(match[1])] = int(match[2]) / int(match[3])
        elif not line.startswith("#"):
            place, _, pts = (int(field) for field in line.split(",")[:3])
            times.setdefault(place, []).append(pts * base[place])
    return {place: tuple(values) for place, values in times.items()}


def _streams(said: str, packets: str, whole: str) -> dict[int, Stream]:
    """The streams of the input; the hashes number them by their place in the output."""
    places = {
        int(index): int(place)
        for index, place in re.findall(r"Stream #0:(\d+) -> #3:(\d+) \(copy\)", said)
    }
    times = _times(packets)
    extradata = dict(re.findall(r"^#extradata (\d+): .* (\w+)$", packets, re.MULTILINE))
    contents = dict(re.findall(r"^(\d+),\w,MD5=(\w+)", whole, re.MULTILINE | re.IGNORECASE))
    pattern = r"Stream #0:(\d+)(?:\[\w+\])?(?:\((\w+)\))?: (\w+): (.*)"
    streams = {}
    for index, language, kind, words in re.findall(pattern, said.partition("Stream mapping:")[0]):
        place = places.get(int(index), -1)
        streams[int(index)] = Stream(
            kind=kind.lower(),
            language="" if language == "und" else language,
            dispositions=_DISPOSITIONS & set(re.findall(r"\(([a-z][a-z ]+)\)", words)),
            extradata=extradata.get(str(place), ""),
            content=contents.get(str(place), ""),
            times=times.get(place, ()),
        )
    return streams


_DISPOSITIONS = frozenset({
    "default", "dub", "original", "comment", "lyrics", "karaoke", "forced", "hearing impaired",
    "visual impaired", "captions", "descriptions", "attached pic",
})  # fmt: skip
