"""Whether an output is right: what is wrong with it, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from case import Case, Kept
from reading import Seen, Stream, look

from vsrcli.jobs.report import Report

_CONTAINERS = {
    ".jpg": "image2", ".m2ts": "mpegts", ".mkv": "matroska", ".ogv": "ogg", ".ts": "mpegts",
    ".vob": "mpeg", ".wmv": "asf",
}  # fmt: skip
"""ffmpeg's names, where they are not the suffix."""
_TOLERANCE = {".mkv": 0.0011, ".webm": 0.0011}
"""Seconds: Matroska's clock ticks in milliseconds."""


def source_view(source: Path, expected: Kept) -> Seen:
    """The input as it should come out."""
    return look(
        source,
        video=expected.video,
        opening=expected.opening,
        view=expected.view,
        pix_fmt=expected.pix_fmt,
        adts=expected.adts,
    )


def faults(
    case: Case, source: Path, before: Seen, target: Path, report: Report | None
) -> list[str]:
    """What is wrong with the output of a case that is to be kept; empty when it is right.

    `report` is None for a program that gives none: what vsr must say of a file is not asked then.
    """
    expected = case.expected
    assert isinstance(expected, Kept)
    if not target.exists():
        return ["there is no output"]
    after = look(
        target,
        size=before.size,
        pix_fmt=expected.pix_fmt,
        adts=expected.adts,
        opening=("-c:v", "libvpx-vp9") if target.suffix == ".webm" else (),
    )
    tick = _TOLERANCE.get(target.suffix, 0.0002)
    found = [
        *_container(after, target),
        *_times(expected, before, after, tick),
        *_picture(expected, before, after),
        *_description(expected, before, after),
        # Times are rounded when they are read and when they are written.
        *_streams(expected, before, after, max(2 * tick, 0.0016)),
    ]
    if expected.chapters and _rounded(before.chapters) != _rounded(after.chapters):
        found.append(f"chapters {after.chapters}, not {before.chapters}")
    if report is not None:
        found += _words(expected, report, len(after.times))
    if expected.check is not None and not found:
        try:
            expected.check(source, target)
        except AssertionError as error:
            found.append(str(error) or "the check of this case failed")
    return found


def _container(after: Seen, target: Path) -> Iterator[str]:
    wanted = _CONTAINERS.get(target.suffix, target.suffix[1:])
    if wanted not in (*after.container.split(","), after.container.removesuffix("_pipe")):
        yield f"container {after.container}, not {wanted}"


def _times(expected: Kept, before: Seen, after: Seen, tolerance: float) -> Iterator[str]:
    wanted = _from_first(before.times if expected.times is None else expected.times)
    found = _from_first(after.times)
    if len(found) != len(wanted):
        yield f"{len(found)} frames, not {len(wanted)}"
    elif len(found) and np.abs(found - wanted).max() > tolerance + expected.slack:
        worst = int(np.abs(found - wanted).argmax())
        yield f"frame {worst} at {found[worst]:.4f} s, not {wanted[worst]:.4f} s"


def _from_first(times: Sequence[float]) -> np.ndarray:
    numbers = np.asarray(times, float)
    return numbers - numbers[:1]


def _picture(expected: Kept, before: Seen, after: Seen) -> Iterator[str]:
    if len(before.pictures) != len(after.pictures):
        return  # said of the times
    error = (before.pictures.astype(float) - after.pictures) ** 2
    for channels, name in ((slice(0, 3), "picture"), (slice(3, 4), "alpha channel")):
        part = error[..., channels]
        if part.size:
            quality = 10 * np.log10(255**2 / np.maximum(part.mean((1, 2, 3)), 1e-3))
            worst = int(quality.argmin())
            if quality[worst] < expected.psnr:
                yield f"{name} of frame {worst}: {quality[worst]:.1f} dB"


def _description(expected: Kept, before: Seen, after: Seen) -> Iterator[str]:
    wanted = tuple(2 * side for side in before.size)
    if after.size != wanted:
        yield f"size {after.size}, not {wanted}"
    if after.aspect != before.aspect:
        yield f"samples of {after.aspect}, not {before.aspect}"
    if expected.progressive and after.interlaced:
        yield "frames are flagged interlaced"
    # Limited range is what readers take for granted.
    tags = (before.color if expected.color is None else frozenset(expected.color)) - {"tv"}
    if not tags <= after.color:
        yield f"colour tags {sorted(after.color)}, not {sorted(tags)}"
    if after.bits < before.bits:
        yield f"{after.bits} bits, not {before.bits}"


def _streams(expected: Kept, before: Seen, after: Seen, tolerance: float) -> Iterator[str]:
    left = {index: one for index, one in after.streams.items() if index != after.video}
    for index, stream in before.streams.items():
        if index == before.video or index in (*expected.noted, *expected.rebuilt):
            continue
        match = next((place for place, one in left.items() if _same_content(stream, one)), None)
        if match is None:
            yield f"stream {index} ({stream.kind}) did not come through"
            continue
        found = left.pop(match)
        if found.language != stream.language:
            yield f"stream {index}: language {found.language!r}, not {stream.language!r}"
        if expected.roles and not _roles(stream, before) <= found.dispositions:
            yield f"stream {index}: {set(found.dispositions)}, not {_roles(stream, before)}"
        moved = _moved(stream, before, found, after)
        # A cover has no moment.
        if expected.in_step and stream.kind != "video" and moved > tolerance:
            yield f"stream {index} ({stream.kind}): {1000 * moved:.1f} ms off the picture"


def _same_content(one: Stream, other: Stream) -> bool:
    if one.kind != other.kind:
        return False
    if one.kind == "attachment":
        return one.extradata == other.extradata
    return one.content == other.content


def _roles(stream: Stream, file: Seen) -> set[str]:
    """Of a stream, without `default` where it is the only one of its kind."""
    alone = sum(one.kind == stream.kind for one in file.streams.values()) == 1
    return set(stream.dispositions) - ({"default"} if alone else set())


def _moved(before: Stream, picture_before: Seen, after: Stream, picture_after: Seen) -> float:
    """Seconds by which the packets of a stream have moved against the first frame, at most."""
    if not before.times or not after.times:
        return 0.0
    wanted = np.asarray(before.times) - picture_before.times[0]
    found = np.asarray(after.times) - picture_after.times[0]
    count = len(wanted) if len(wanted) == len(found) else 1  # PCM may be parted anew
    return float(np.abs(found[:count] - wanted[:count]).max())


def _rounded(chapters: tuple[tuple[float, float, str], ...]) -> list[tuple[float, float, str]]:
    return [(round(start, 2), round(end, 2), title) for start, end, title in chapters]


def _words(expected: Kept, report: Report, frames: int) -> Iterator[str]:
    lines = [*report.guesses, *report.notes, *report.warnings, *report.losses]
    if report.frames != frames:
        yield f"the report counts {report.frames} frames, the file holds {frames}"
    wanted = [*expected.said, *(rf"stream {n} .*{what}" for n, what in expected.noted.items())]
    for pattern in wanted:
        matching = [line for line in lines if re.search(pattern, line)]
        if len(matching) != 1:
            yield f"{pattern!r} is said {len(matching)} times in {lines}"
    if expected.lost != bool(report.losses):
        yield f"losses are told wrongly: {lines}"
