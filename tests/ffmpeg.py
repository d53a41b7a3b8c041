"""The static ffmpeg of imageio-ffmpeg: maker of test clips and independent second reader."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*args: str | Path, stdin: bytes | None = None) -> bytes:
    """Standard output of `ffmpeg args`, overwriting; fails the test with ffmpeg's own words."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-y", "-bitexact", *map(str, args)]
    if stdin is not None:
        command.remove("-nostdin")
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr.decode(errors='replace')}"
    return done.stdout


def describe(path: Path) -> str:
    """What `ffmpeg -i` prints of a file: container, streams, tags, chapters."""
    done = subprocess.run(
        [FFMPEG, "-hide_banner", "-i", str(path)], capture_output=True, check=False
    )
    return done.stderr.decode(errors="replace")


def frame_info(path: Path) -> str:
    """What the filter showinfo prints of the first frame: its tags and side data."""
    done = subprocess.run(
        [
            FFMPEG,
            "-hide_banner",
            "-i",
            path,
            "-vf",
            "showinfo",
            "-frames:v",
            "1",
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        check=True,
    )
    return done.stderr.decode(errors="replace")


def raw_frames(path: Path, pix_fmt: str, width: int, height: int) -> np.ndarray:
    """All frames of packed 8-bit `pix_fmt` (rgb24, gray ...): (T, H, W, channels) uint8.

    Frames come as stored: neither rotated nor dropped nor repeated to fit a rate.
    """
    data = ffmpeg(
        "-noautorotate", "-i", path, "-map", "0:V:0", "-fps_mode", "passthrough",
        "-f", "rawvideo", "-pix_fmt", pix_fmt, "-",
    )  # fmt: skip
    return np.frombuffer(data, np.uint8).reshape(-1, height, width, len(data) and _depth(pix_fmt))


def _depth(pix_fmt: str) -> int:
    return {"gray": 1, "rgb24": 3, "bgr24": 3, "rgba": 4}[pix_fmt]


def video_times(path: Path) -> list[float]:
    """Presentation times in seconds of the video frames, from the start of the file's clock."""
    out = ffmpeg(
        "-copyts", "-i", path, "-map", "0:V:0", "-fps_mode", "passthrough",
        "-enc_time_base", "demux", "-f", "framehash", "-hash", "md5", "-",
    ).decode()  # fmt: skip
    return _times(out)


def packet_hashes(path: Path, stream: str) -> list[tuple[float, str]]:
    """(time in seconds, md5) of every packet of a stream such as `0:a:1`, undecoded."""
    out = ffmpeg(
        "-copyts", "-i", path, "-map", stream, "-c", "copy", "-f", "framehash", "-hash", "md5", "-"
    ).decode()
    rows = [line.split(",") for line in out.splitlines() if line and not line.startswith("#")]
    return list(zip(_times(out), [row[5].strip() for row in rows], strict=True))


def _times(framehash: str) -> list[float]:
    base = 1.0
    times = []
    for line in framehash.splitlines():
        if line.startswith("#tb"):
            numerator, denominator = line.split(":")[1].strip().split("/")
            base = int(numerator) / int(denominator)
        elif line and not line.startswith("#"):
            times.append(int(line.split(",")[2]) * base)
    return times


def frame_hashes(
    path: Path, pix_fmt: str, *options: str, before: tuple[str, ...] = ()
) -> list[str]:
    """md5 of every video frame as stored, its planes in planar `pix_fmt` one after the other.

    `options` stand after the input, `before` before it.
    """
    out = ffmpeg(
        *before, "-noautorotate", "-i", path, "-map", "0:V:0", *options,
        "-fps_mode", "passthrough", "-pix_fmt", pix_fmt, "-f", "framehash", "-hash", "md5", "-",
    ).decode()  # fmt: skip
    rows = [line.split(",") for line in out.splitlines() if line and not line.startswith("#")]
    return [row[5].strip() for row in rows]


def plane_hash(planes: tuple[np.ndarray, ...], family: str) -> str:
    """md5 of planes in the order of `frame_hashes`: FFmpeg stores RGB as G, B, R."""
    if family == "rgb":
        planes = (planes[1], planes[2], planes[0], *planes[3:])
    return hashlib.md5(b"".join(plane.tobytes() for plane in planes)).hexdigest()


def stored_planes(path: Path, pix_fmt: str, width: int, height: int) -> list[np.ndarray]:
    """Y, Cb and Cr (or Y alone) of all frames as stored in `pix_fmt`: (T, height, width) each.

    `pix_fmt` is the file's own, `yuv...` or `gray...`, so that nothing is converted.
    """
    data = ffmpeg(
        "-noautorotate", "-i", path, "-map", "0:V:0", "-fps_mode", "passthrough",
        "-f", "rawvideo", "-pix_fmt", pix_fmt, "-",
    )  # fmt: skip
    deep = "0le" in pix_fmt or "2le" in pix_fmt or "6le" in pix_fmt
    sizes = [(height, width)]
    if pix_fmt.startswith("yuv"):
        shift_x, shift_y = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}[pix_fmt[3:6]]
        sizes += [(-(-height >> shift_y), -(-width >> shift_x))] * 2
    samples = np.frombuffer(data, np.uint16 if deep else np.uint8)
    frames = samples.reshape(-1, sum(rows * columns for rows, columns in sizes))
    ends = np.cumsum([rows * columns for rows, columns in sizes])
    parts = np.split(frames, ends[:-1], axis=1)
    return [part.reshape(-1, *size) for part, size in zip(parts, sizes, strict=True)]
