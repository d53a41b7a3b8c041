"""How a running job is shown: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vsrcli.jobs.report import Progress, ProgressCallback

_SECONDS_BETWEEN_LINES = 10.0


@contextlib.contextmanager
def shown_progress(quiet: bool) -> Iterator[ProgressCallback | None]:
    """A callback that shows progress on stderr while the block runs; None when `quiet`."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as callback:
            yield callback
    else:
        yield _lines()


def summary(progress: Progress) -> str:
    """`34/72 frames, 5.1 fps, decode 3% restore 90% encode 7%, 0:00:07 left`."""
    of = "" if progress.expected is None else f"/{progress.expected}"
    shares = " ".join(f"{name} {share:.0%}" for name, share in progress.shares.items())
    left = progress.seconds_left
    end = "" if left is None else f", {clock(left)} left"
    return f"{progress.frames}{of} frames, {progress.fps:.3g} fps, {shares}{end}"


def clock(seconds: float) -> str:
    """`1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _lines() -> ProgressCallback:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(summary(progress), file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def _bar() -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(bar_width=30), TextColumn("{task.description}"))
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                completed=progress.frames,
                total=progress.expected,
                description=summary(progress),
            )

        yield show
