"""The loop of a job: decode, restore and encode one segment, the three at the same time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import torch
from torch import Tensor

from vsrcli.jobs.channel import Channel, Stopped
from vsrcli.media.color import alpha_of, from_rgb, to_rgb
from vsrcli.media.encoders import EncoderPlan
from vsrcli.media.frame import ColorSpec, Frame
from vsrcli.media.geometry import Orientation, orient
from vsrcli.media.writer import FrameSink
from vsrcli.ops.resize import resize
from vsrcli.restore.restorer import Restorer

_DECODED_AHEAD = 3
_RESTORED_AHEAD = 2
"""Frames waiting between the stages: enough to overlap, few enough for 4K pictures as floats."""


@dataclass(frozen=True)
class Segment:
    """A stretch of the video in time stamps: from `first` up to, not including, `stop`.

    Frames outside it that the source delivers are context: the network sees them, the sink does
    not. None is the video's own end.
    """

    first: int | None = None
    stop: int | None = None

    def contains(self, pts: int) -> bool:
        return (self.first is None or pts >= self.first) and (self.stop is None or pts < self.stop)


@dataclass(frozen=True)
class Picturing:
    """How stored samples become the network's picture and its result becomes samples again."""

    color: ColorSpec
    """Of the source."""
    orientation: Orientation
    """What makes the stored picture upright."""
    plan: EncoderPlan
    """Size, format and colours of the output."""


@dataclass
class Stages:
    """Seconds each stage has worked, waiting not counted, and frames through it."""

    seconds: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "restore": 0.0, "encode": 0.0}
    )
    read: int = 0
    written: int = 0

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's part of all the work, adding up to 1."""
        total = sum(self.seconds.values()) or 1.0
        return {name: value / total for name, value in self.seconds.items()}


@dataclass(frozen=True)
class _Rest:
    """What of a frame does not go through the network."""

    pts: int
    time_base: Fraction
    duration: int
    alpha: Tensor | None
    """(1, H, W) in [0, 1], upright; None when the output has no alpha."""


def run_segment(
    source: Iterable[Frame],
    restorer: Restorer,
    sink: FrameSink,
    picturing: Picturing,
    segment: Segment,
    progress: Callable[[Stages], None],
) -> Stages:
    """Restore every frame of `segment` into `sink`, in order and with its own time.

    Memory does not grow with the number of frames. `progress` is called after each frame written,
    from another thread. Any stage's exception ends the others and is raised here.
    """
    stages = Stages()
    decoded: Channel[tuple[Tensor, _Rest]] = Channel(_DECODED_AHEAD)
    restored: Channel[tuple[Tensor, _Rest]] = Channel(_RESTORED_AHEAD)
    failures: list[BaseException] = []

    def decode() -> None:
        for frame in _clocked(iter(source), stages, "decode"):
            with _Clock(stages, "decode"):
                item = _to_picture(frame, picturing, restorer.device)
            stages.read += 1
            decoded.put(item)
        decoded.finish()

    def encode() -> None:
        for picture, rest in restored:
            with _Clock(stages, "encode"):
                sink.write(_to_frame(picture, rest, picturing.plan))
            stages.written += 1
            progress(stages)

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            # Colour conversion works in strips too small to share: one thread is fastest, and
            # leaves the others to the network and the codecs. It holds for this thread alone.
            torch.set_num_threads(1)
            try:
                work()
            except Stopped:
                pass
            except BaseException as error:  # raised again by the job's own thread
                failures.append(error)
                decoded.stop()
                restored.stop()

        return run

    threads = [
        threading.Thread(target=guarded(decode), name="decode"),
        threading.Thread(target=guarded(encode), name="encode"),
    ]
    # Asked before the stages set theirs, which a thread new to torch would start with.
    torch_threads = torch.get_num_threads()
    for thread in threads:
        thread.start()
    # Resampling gains nothing from a second thread, and takes it from a busy encoder.
    torch.set_num_threads(1 if restorer.scale is None else torch_threads)
    try:
        _restore(decoded, restored, restorer, segment, stages)
        restored.finish()
        threads[-1].join()
    except Stopped:
        pass
    finally:
        # Whatever ended this, no stage goes on: the caller is about to close what it works on.
        decoded.stop()
        restored.stop()
        for thread in threads:
            thread.join()
        torch.set_num_threads(torch_threads)
    if failures:
        raise failures[0]
    return stages


def _restore(
    decoded: Channel[tuple[Tensor, _Rest]],
    restored: Channel[tuple[Tensor, _Rest]],
    restorer: Restorer,
    segment: Segment,
    stages: Stages,
) -> None:
    rests: deque[_Rest] = deque()
    waited = 0.0

    def pictures() -> Iterator[Tensor]:
        nonlocal waited
        source = iter(decoded)
        while True:
            started = time.perf_counter()
            item = next(source, None)
            waited += time.perf_counter() - started
            if item is None:
                return
            rests.append(item[1])
            yield item[0]

    results = restorer.stream(pictures())
    while True:
        started, waited = time.perf_counter(), 0.0
        picture = next(results, None)
        stages.seconds["restore"] += time.perf_counter() - started - waited
        if picture is None:
            break
        rest = rests.popleft()
        if segment.contains(rest.pts):
            restored.put((picture, rest))
    assert not rests, f"{len(rests)} frames went in and did not come out"


class _Clock:
    """Adds the time spent inside the block to a stage."""

    def __init__(self, stages: Stages, stage: str) -> None:
        self._seconds = stages.seconds
        self._stage = stage

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._stage] += time.perf_counter() - self._started


def _clocked(frames: Iterator[Frame], stages: Stages, stage: str) -> Iterator[Frame]:
    while True:
        with _Clock(stages, stage):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _to_picture(frame: Frame, picturing: Picturing, device: torch.device) -> tuple[Tensor, _Rest]:
    """The upright (3, H, W) picture of a stored frame, on the device, and the rest of it."""
    planes = [torch.from_numpy(plane).to(device, non_blocking=True) for plane in frame.planes]
    rgb = to_rgb(planes, frame.format, picturing.color)
    alpha = alpha_of(planes, frame.format) if picturing.plan.format.alpha else None
    if alpha is not None:
        alpha = orient(alpha[None], picturing.orientation)
    rest = _Rest(frame.pts, frame.time_base, frame.duration, alpha)
    return orient(rgb, picturing.orientation), rest


def _to_frame(picture: Tensor, rest: _Rest, plan: EncoderPlan) -> Frame:
    """The frame to encode: the picture in the output's size, colours and format."""
    size = (plan.height, plan.width)
    alpha = None if rest.alpha is None else _sized(rest.alpha, size)[0]
    planes = from_rgb(_sized(picture, size), plan.format, plan.color, alpha)
    samples = tuple(plane.cpu().numpy() for plane in planes)
    return Frame(samples, plan.format, rest.pts, rest.time_base, rest.duration)


def _sized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    return picture if picture.shape[-2:] == size else resize(picture, size)
