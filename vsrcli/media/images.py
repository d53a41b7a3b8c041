"""Reading a folder of images, a numbered pattern, or a single image, as if it were a video."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

from vsrcli.errors import InputError, UsageError
from vsrcli.media.color_guess import guess
from vsrcli.media.deinterlace import Deinterlace
from vsrcli.media.frame import Frame
from vsrcli.media.info import MediaInfo, VideoInfo
from vsrcli.media.picture import SUFFIXES, Picture, codec_of, read_picture
from vsrcli.media.probe import probe
from vsrcli.media.reader import FrameSource, Seconds, VideoReader, check_cut
from vsrcli.media.splices import Splices
from vsrcli.media.timing import ticks

DEFAULT_RATE = Fraction(25)
"""Images a second when nobody says."""
READ_AHEAD = min(8, os.cpu_count() or 1)
"""Images decoded at the same time."""


def open_source(
    source: str | os.PathLike[str],
    *,
    info: MediaInfo | None = None,
    allow_protocols: Sequence[str] = (),
    start: Seconds | None = None,
    end: Seconds | None = None,
    deinterlace: Deinterlace = "auto",
    fps: Fraction | None = None,
    card: int | None = None,
    strict: bool = False,
) -> FrameSource:
    """The frames of a video file, of a folder or pattern of images, or of a single image.

    `fps` is for images only; UsageError when it is given for a video, which has its own times.
    `card` is where videos are decoded, `strict` says whether a loss in them is an error: see
    `VideoReader`.
    """
    if is_image_source(source):
        return ImageSequence(source, fps=fps, start=start, end=end)
    if fps is not None:
        raise UsageError(f"--fps {float(fps):g}: only for images; {os.fspath(source)} has times")
    return VideoReader(
        source,
        info=info,
        allow_protocols=allow_protocols,
        start=start,
        end=end,
        deinterlace=deinterlace,
        card=card,
        strict=strict,
    )


def probe_source(
    source: str | os.PathLike[str],
    *,
    allow_protocols: Sequence[str] = (),
    fps: Fraction | None = None,
) -> MediaInfo:
    """What is known of a source that `open_source` takes: a video, or images."""
    if is_image_source(source):
        with ImageSequence(source, fps=fps) as images:
            return images.info
    return probe(source, allow_protocols)


def is_image_source(source: str | os.PathLike[str]) -> bool:
    """Whether `source` is a folder, a pattern such as `frames/%06d.png`, or a single image."""
    path = Path(source)
    try:
        if path.is_dir() or (_PLACEHOLDER.search(path.name) and not path.exists()):
            return True
        return path.is_file() and codec_of(path) is not None
    except OSError:  # unreadable, or no possible name: whoever opens it says so
        return False


class ImageSequence:
    """Images in numeric order, each one frame: its time is its number, its unit 1 / fps.

    All have the size of the first, and a format that turns into the first one's without loss.
    """

    lost = 0
    splices = Splices()

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        fps: Fraction | None = None,
        start: Seconds | None = None,
        end: Seconds | None = None,
    ) -> None:
        """Find the images and decode the first.

        InputError when there are none or it cannot be decoded, UsageError when `fps`, `start` or
        `end` make no sense. They are seconds, as `VideoReader` takes them.
        """
        check_cut(start, end)
        rate = DEFAULT_RATE if fps is None else fps
        if rate <= 0:
            raise UsageError(f"--fps {float(rate):g}: must be greater than zero")
        self.time_base = 1 / rate
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.losses: list[str] = []
        self.files = find_images(source)
        self._first = 0 if start is None else floor(ticks(start, self.time_base))
        past = len(self.files) if end is None else ceil(ticks(end, self.time_base))
        self._past = min(past, len(self.files))
        if self._first >= self._past:
            raise InputError(
                f"{os.fspath(source)}: no image from {float(start or 0):g} s on; at"
                f" {float(rate):g} fps its {len(self.files)} last"
                f" {float(len(self.files) * self.time_base):g} s"
            )
        opening = read_picture(self.files[0])
        self.info = _describe(os.fspath(source), self.files, opening, self.time_base)
        self._pool = ThreadPoolExecutor(READ_AHEAD, thread_name_prefix="vsr-images")

    def __enter__(self) -> ImageSequence:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Iterator[Frame]:
        pending: deque[Future[Picture]] = deque()
        numbers = iter(range(self._first, self._past))
        for number in range(self._first, self._past):
            while len(pending) < READ_AHEAD and (ahead := next(numbers, None)) is not None:
                pending.append(self._pool.submit(read_picture, self.files[ahead]))
            picture = self._alike(self.files[number], pending.popleft().result())
            yield Frame(picture.planes, picture.format, number, self.time_base, 1)

    def _alike(self, file: Path, picture: Picture) -> Picture:
        """The picture in the format of the first; InputError when that would lose something."""
        video = self.info.video
        if (picture.width, picture.height) != (video.width, video.height):
            raise InputError(
                f"{file}: is {picture.width}x{picture.height}, the first image is"
                f" {video.width}x{video.height}; all must have one size"
            )
        form = video.format
        if picture.format == form:
            return picture
        # Programs that save PNG files often save a picture without colours as grey.
        stored = picture.format
        grey = stored.family == "gray" and not stored.alpha and stored.bits == form.bits
        if grey and form.family == "rgb" and not form.alpha:
            return replace(picture, planes=picture.planes * 3, format=form)
        raise InputError(
            f"{file}: its pixel format is {picture.stored_format}, that of the first image"
            f" {video.stored_format}; save all in one format"
        )


_PLACEHOLDER = re.compile(r"%(0(\d+))?d")


def find_images(source: str | os.PathLike[str]) -> list[Path]:
    """The images of a folder, of a pattern, or the one that `source` is, in numeric order.

    InputError when there are none, or a folder holds more than one kind.
    """
    path = Path(source)
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        return [path]
    match = _PLACEHOLDER.search(path.name)
    if match is None:
        raise InputError(f"{source}: no such file")
    if not path.parent.is_dir():
        raise InputError(f"{source}: no such folder as {path.parent}")
    digits = rf"(\d{{{match[2]},}})" if match[2] else r"(\d+)"
    before, after = (part.replace("%%", "%") for part in _around(path.name, match))
    name = re.compile(re.escape(before) + digits + re.escape(after))
    found = [
        (int(hit[1]), file) for file in path.parent.iterdir() if (hit := name.fullmatch(file.name))
    ]
    if not found:
        raise InputError(f"{source}: no file matches this pattern")
    return [file for _, file in sorted(found)]


def _around(name: str, match: re.Match[str]) -> tuple[str, str]:
    return name[: match.start()], name[match.end() :]


def _in_folder(folder: Path) -> list[Path]:
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]
    if not files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise InputError(f"{folder}: a folder without images ({kinds})")
    kinds_found = sorted({SUFFIXES[file.suffix.lower()] for file in files})
    if len(kinds_found) > 1:
        raise InputError(
            f"{folder}: holds images of several kinds ({', '.join(kinds_found)}); give a pattern"
            f" such as {folder / '%06d.png'}"
        )
    return sorted(files, key=lambda file: natural_key(file.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts `f2` before `f10`: numbers by value, the rest as text."""
    parts = re.findall(r"(\d+)|(\D+)", name)
    return [(0, int(digits), digits) if digits else (1, 0, text) for digits, text in parts]


def _describe(source: str, files: list[Path], first: Picture, time_base: Fraction) -> MediaInfo:
    color, guesses = guess(first.width, first.height, first.color, first.format)
    video = VideoInfo(
        index=0,
        codec=first.codec,
        time_base=time_base,
        start=0,
        duration=len(files) * time_base,
        language=None,
        disposition=(),
        metadata={},
        profile=None,
        width=first.width,
        height=first.height,
        format=first.format,
        stored_format=first.stored_format,
        average_rate=1 / time_base,
        variable_rate=False,
        frame_count=len(files),
        sample_aspect_ratio=first.sample_aspect_ratio,
        icc_profile=first.icc_profile,
        orientation=first.orientation,
        tagged=first.color,
        color=color,
        guesses=tuple(guesses),
        mastering_display=None,
        content_light=None,
        interlaced=False,
        field_order="progressive",
    )
    return MediaInfo(
        path=source,
        format="images",
        duration=len(files) * time_base,
        start_time=Fraction(0),
        size=sum(file.stat().st_size for file in files),
        bit_rate=None,
        metadata={},
        chapters=(),
        video=video,
        streams=(video,),
        warnings=first.warnings,
    )
