"""The three stages: overlap, bounds, failures, segments."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from models import tiny_weights

from vsrcli.jobs.picture_route import Pictured, PictureRoute
from vsrcli.jobs.pipeline import Stages, run_segment
from vsrcli.jobs.route import Picturing, Segment
from vsrcli.media.encoders import EncodeOptions, Picture, choose
from vsrcli.media.formats import pixel_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, Range
from vsrcli.media.geometry import Orientation
from vsrcli.restore.restorer import Restorer, load

pytestmark = pytest.mark.timeout(60)

BASE = Fraction(1, 1000)
YUV444 = pixel_format("yuv444p")
COLOR = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1, ChromaLocation.LEFT)
WIDTH, HEIGHT = 16, 12


def frames(count: int, made: Callable[[int], None] = lambda n: None) -> Iterator[Frame]:
    """Random pictures, 40 ms apart; the same ones every time."""
    generator = np.random.default_rng(1)
    for index in range(count):
        made(index)
        planes = tuple(
            generator.integers(16, 235, (HEIGHT, WIDTH), dtype=np.uint8) for _ in range(3)
        )
        yield Frame(planes, YUV444, 40 * index, BASE, 40)


class Kept:
    """A sink that keeps the frames in memory."""

    def __init__(self, before: Callable[[int], None] = lambda n: None) -> None:
        self.frames = 0
        self.kept: list[Frame] = []
        self._before = before

    def write(self, frame: Frame) -> None:
        self._before(self.frames)
        self.kept.append(frame)
        self.frames += 1

    def close(self) -> None: ...

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None: ...

    @property
    def times(self) -> list[int]:
        return [frame.pts for frame in self.kept]


def run(
    source: Iterable[Frame],
    sink: Kept,
    restorer: Restorer | None = None,
    segment: Segment = Segment(),  # noqa: B008  frozen
    progress: Callable[[Stages], None] = lambda stages: None,
) -> Stages:
    restorer = restorer or load("lanczos", device="cpu", scale=1)
    scale = restorer.scale or 1
    picture = Picture(scale * WIDTH, scale * HEIGHT, YUV444, COLOR, Fraction(25))
    plan = choose(EncodeOptions("ffv1"), picture, "matroska")
    picturing = Picturing(YUV444, COLOR, Orientation.UPRIGHT, plan)
    return run_segment(source, PictureRoute(restorer, picturing, segment), sink, progress)


def tiny(folder: Path) -> Restorer:
    return load(str(tiny_weights(folder)), device="cpu", precision="fp32")


def test_every_frame_goes_through_in_order_with_its_time() -> None:
    sink = Kept()
    told: list[int] = []
    stages = run(frames(30), sink, progress=lambda stages: told.append(stages.written))
    assert sink.times == [40 * n for n in range(30)]
    assert {frame.duration for frame in sink.kept} == {40}
    assert told == list(range(1, 31))
    assert (stages.read, stages.written) == (30, 30)
    assert sum(stages.shares.values()) == pytest.approx(1)
    for before, after in zip(frames(30), sink.kept, strict=True):
        for wanted, found in zip(before.planes, after.planes, strict=True):
            assert np.abs(found.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(("model", "bound"), [("lanczos", 9), ("tiny", 16)])
def test_a_slow_sink_holds_the_source_back(tmp_path: Path, model: str, bound: int) -> None:
    made, ahead = 0, 0

    def make(index: int) -> None:
        nonlocal made
        made = index + 1

    def write(index: int) -> None:
        nonlocal ahead
        time.sleep(0.02 if index < 25 else 0)
        ahead = max(ahead, made - index)

    count = 500 if model == "lanczos" else 40
    restorer = tiny(tmp_path) if model == "tiny" else None
    run(frames(count, make), Kept(write), restorer)
    assert made == count
    assert 1 < ahead <= bound


def test_stages_work_at_the_same_time() -> None:
    """Ten frames of 50 ms in each of two stages: one after the other would take 1 s."""
    started = time.perf_counter()
    stages = run(frames(10, lambda n: time.sleep(0.05)), Kept(lambda n: time.sleep(0.05)))
    seconds = time.perf_counter() - started
    assert sum(stages.seconds.values()) > 0.95
    assert seconds < 0.8


class Failure(Exception):
    pass


def fail_at(wanted: int) -> Callable[[int], None]:
    def check(index: int) -> None:
        if index == wanted:
            raise Failure(f"frame {wanted}")

    return check


@pytest.mark.parametrize("index", [0, 1, 7, 29])
@pytest.mark.parametrize("stage", ["decode", "restore", "encode", "progress"])
def test_a_failing_stage_ends_the_job_with_its_own_error(
    monkeypatch: pytest.MonkeyPatch, stage: str, index: int
) -> None:
    threads = threading.active_count()
    torch_threads = torch.get_num_threads()
    source, sink, restorer = frames(30), Kept(), load("lanczos", device="cpu", scale=1)
    progress: Callable[[Stages], None] = lambda stages: None  # noqa: E731
    check = fail_at(index)
    if stage == "decode":
        source = frames(30, check)
    elif stage == "encode":
        sink = Kept(check)
    elif stage == "progress":
        progress = lambda stages: check(stages.written - 1)  # noqa: E731
    else:
        stream = restorer.stream

        def failing(pictures: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
            for number, picture in enumerate(stream(pictures)):
                check(number)
                yield picture

        monkeypatch.setattr(restorer, "stream", failing)
    with pytest.raises(Failure, match=f"^frame {index}$"):
        run(source, sink, restorer, progress=progress)
    assert sink.frames <= index + (stage == "progress")
    assert threading.active_count() == threads
    assert torch.get_num_threads() == torch_threads


def test_an_interrupt_in_the_main_thread_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = load("lanczos", device="cpu", scale=1)
    stream = restorer.stream

    def interrupted(pictures: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        for number, picture in enumerate(stream(pictures)):
            if number == 5:
                raise KeyboardInterrupt
            yield picture

    monkeypatch.setattr(restorer, "stream", interrupted)
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run(frames(100), Kept(), restorer)
    assert threading.active_count() == threads


@pytest.mark.parametrize("taken", [4, 100])
def test_a_restorer_that_loses_frames_is_noticed(
    monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """Whether it drops the last one, or gives up in the middle, nothing hangs."""
    restorer = load("lanczos", device="cpu", scale=1)

    def losing(pictures: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        held = None
        for number, picture in enumerate(pictures):
            if held is not None:
                yield held
            held = picture
            if number == taken:
                return

    monkeypatch.setattr(restorer, "stream", losing)
    with pytest.raises(AssertionError, match="1 frames went in and did not come out"):
        run(frames(20), Kept(), restorer)


def test_a_restorer_that_stops_early_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = load("lanczos", device="cpu", scale=1)
    stream = restorer.stream

    def stopping(pictures: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        for number, picture in enumerate(stream(pictures)):
            yield picture
            if number == 4:
                return

    monkeypatch.setattr(restorer, "stream", stopping)
    stages = run(frames(20), Kept(), restorer)
    assert stages.written == 5 < stages.read


def test_nothing_is_left_running() -> None:
    threads = threading.active_count()
    run(frames(5), Kept())
    assert threading.active_count() == threads
    run(iter(()), Kept())
    assert threading.active_count() == threads


@pytest.mark.parametrize("border", [9, 10])
def test_segments_with_context_join_to_the_whole(tmp_path: Path, border: int) -> None:
    """What each segment writes is what the run over the whole video writes there."""
    restorer = tiny(tmp_path)
    count, context = 20, restorer.spec.strategy.radius + 3
    whole = Kept()
    run(frames(count), whole, restorer)

    first, second = Kept(), Kept()
    pictures = list(frames(count))
    run(pictures[: border + context], first, restorer, Segment(None, 40 * border))
    run(pictures[border - context :], second, restorer, Segment(40 * border, None))
    assert first.times == [40 * n for n in range(border)]
    assert second.times == [40 * n for n in range(border, count)]
    for wanted, found in zip(whole.kept, first.kept + second.kept, strict=True):
        for one, other in zip(wanted.planes, found.planes, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_segment_contains_its_first_but_not_its_stop() -> None:
    assert [n for n in range(6) if Segment(2, 4).contains(n)] == [2, 3]
    assert [n for n in range(6) if Segment(None, 4).contains(n)] == [0, 1, 2, 3]
    assert [n for n in range(6) if Segment(4, None).contains(n)] == [4, 5]


@pytest.mark.cuda
@pytest.mark.parametrize("model", ["lanczos", "tiny"])
def test_a_card_makes_the_same_video(tmp_path: Path, model: str) -> None:
    """In three streams, with frames on their way in each."""
    name = str(tiny_weights(tmp_path)) if model == "tiny" else model
    here, there = (
        load(name, device=device, precision="fp32", scale=1 if model == "lanczos" else None)
        for device in ("cpu", "cuda")
    )
    expected, found = Kept(), Kept()
    run(frames(40), expected, here)
    stages = run(frames(40), found, there)
    assert found.times == expected.times
    for one, other in zip(expected.kept, found.kept, strict=True):
        for wanted, made in zip(one.planes, other.planes, strict=True):
            assert np.abs(wanted.astype(int) - made).max() <= 1
    torch.cuda.synchronize()
    assert all(seconds > 0 for seconds in stages.seconds.values())


def test_a_route_that_looks_ahead_gives_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card: the next frame is begun before one is handed out."""
    restorer = load("lanczos", device="cpu", scale=1)
    begun: list[int] = []
    picture = Picture(WIDTH, HEIGHT, YUV444, COLOR, Fraction(25))
    picturing = Picturing(
        YUV444,
        COLOR,
        Orientation.UPRIGHT,
        choose(EncodeOptions("ffv1"), picture, "matroska"),
    )
    route = PictureRoute(restorer, picturing, Segment())
    items = [route.prepare(frame) for frame in frames(4)]
    plain = list(route.finish(items))
    begin = route._begin_to_finish

    def noted(item: Pictured) -> Callable[[], Frame]:
        begun.append(item[1].pts)
        return begin(item)

    monkeypatch.setattr(route, "_begin_to_finish", noted)
    route.device = torch.device("cuda")  # only looked at to choose
    ahead = []
    for index, frame in enumerate(route.finish(items)):
        assert len(begun) == min(4, index + 2)
        ahead.append(frame)
    assert [frame.pts for frame in ahead] == [frame.pts for frame in plain] == begun
