"""`vsr weights fetch NAME`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from vsrcli.cli.options import Debug

if TYPE_CHECKING:
    from vsrcli.zoo.download import Report
    from vsrcli.zoo.published import Published

_SECONDS_BETWEEN_LINES = 10.0


def fetch(
    name: Annotated[
        str,
        typer.Argument(help="tga or tga-dilated; of other networks it says where theirs are."),
    ],
    accept_licence: Annotated[
        bool,
        typer.Option("--accept-licence", help="Fetch it though its authors state no licence."),
    ] = False,
    debug: Debug = False,
) -> None:
    """Download an official checkpoint into the user's cache, for use without a network."""
    from vsrcli.zoo.cache import cached_weights
    from vsrcli.zoo.published import find_published

    checkpoint = find_published(name)
    path = cached_weights().get(checkpoint.model)
    if path is None:
        print(_announced(checkpoint), file=sys.stderr, flush=True)
        from vsrcli.zoo.fetch import bring_in  # loads torch: said first, then loaded

        with _shown_progress() as report:
            path = bring_in(checkpoint, report, licence_accepted=accept_licence)
    else:
        print("It is in the cache already; delete the file to fetch it again", file=sys.stderr)
    print(path)
    print(f"Use it with --model {checkpoint.model}", file=sys.stderr)


def _announced(checkpoint: Published) -> str:
    remote = checkpoint.remote
    size = (
        f"{remote.most} bytes" if remote.size else f"not known, {_megabytes(remote.most)} at most"
    )
    return "\n".join(
        (
            f"Official checkpoint {checkpoint.name}",
            f"  address   {remote.address}",
            f"  size      {size}",
            f"  checksum  {remote.checksum}",
            f"  licence   {checkpoint.licence or 'none stated by the authors'}",
        )
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@contextlib.contextmanager
def _shown_progress() -> Iterator[Report]:
    """Shows a download on stderr: a bar on a terminal, now and then a line elsewhere."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(bar_width=30), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda received, total: bar.update(task, completed=received, total=total)


def _lines() -> Report:
    last = time.monotonic()

    def show(received: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            of = "" if total is None else f" of {_megabytes(total)}"
            print(f"{_megabytes(received)}{of} received", file=sys.stderr, flush=True)

    return show
