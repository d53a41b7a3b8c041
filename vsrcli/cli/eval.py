"""`vsr eval --model NAME[,NAME...] --data FOLDER`."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vsrcli.cli.job import Backend, Device, Precision, Quiet, option
from vsrcli.cli.options import Debug
from vsrcli.cli.tables import new_table, table_console
from vsrcli.cli.weights_fetch import fetch_at_first_use
from vsrcli.errors import UsageError

if TYPE_CHECKING:
    from vsrcli.quality.comparison import Progress
    from vsrcli.quality.conventions import Conventions
    from vsrcli.quality.summary import Row

_COLUMNS = {
    "psnr_y": ("PSNR-Y", ".2f"),
    "psnr_rgb": ("PSNR", ".2f"),
    "ssim_y": ("SSIM-Y", ".4f"),
    "vmaf": ("VMAF", ".1f"),
    "tof": ("tOF", ".3f"),
    "flicker": ("flicker", ".2f"),
    "gain": ("gain", "+.2f"),
    "temporal_gain": ("temporal", "+.2f"),
}
"""Heading and format of the values of a row."""
_STDOUT = Path("-")


def _parse_span(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--score {text}: write the first and the last frame, such as 4-6")
    return int(match[1]), int(match[2])


def evaluate(
    model: Annotated[
        str, option("Model", "Models, or paths of weights files.", metavar="NAME[,NAME...]")
    ],
    data: Annotated[
        list[Path],
        option("Clips", "Ground truth: a clip or a folder of clips; repeatable.", metavar="PATH"),
    ],
    degradation: Annotated[
        str | None,
        option(
            "Clips",
            "How their input is made: BI (the default), BD, real, crf0 to crf51 (BI, then H.264); "
            "for deblurring blur: x_blur.* beside x_sharp.*, else means of sharp frames.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[int | None, option("Model", "Of models that come in several.", min=1)] = None,
    frames: Annotated[
        int | None, option("Clips", "Read so many frames of each clip, instead of all.", min=1)
    ] = None,
    score: Annotated[
        Any, option("Scores", "Frames that count, from 1.", parser=_parse_span, metavar="A-B")
    ] = None,
    skip_ends: Annotated[
        bool, option("Scores", "The first and last two frames do not count.", "--skip-ends")
    ] = False,
    border: Annotated[int, option("Scores", "Pixels on each side that do not count.", min=0)] = 8,
    json_file: Annotated[
        Path | None, option("Output", "All scores; - is stdout.", "--json", metavar="FILE")
    ] = None,
    plot: Annotated[
        Path | None, option("Output", "PSNR over time, such as scores.png.", metavar="FILE")
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    backend: Backend = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score models on clips with known ground truth, beside bicubic and Lanczos."""
    from vsrcli.media.output import AtomicOutput, check_output
    from vsrcli.quality.clips import find_clips
    from vsrcli.quality.comparison import common_task, compare, load_models, name_of
    from vsrcli.quality.conventions import BLUR, Conventions
    from vsrcli.quality.plot import check_plot, write_plot
    from vsrcli.quality.report import as_json
    from vsrcli.quality.summary import means_over_clips, rows_of

    to_stdout = json_file == _STDOUT
    for file in (json_file, plot):
        if file is not None and file != _STDOUT:
            check_output(file, overwrite=True, inputs=data)
    if plot is not None:
        check_plot(plot)
    names = [name for name in model.split(",") if name]
    for name in names:
        fetch_at_first_use(name)
    models = load_models(names, scale=scale, device=device, precision=precision, backend=backend)
    task, factor = common_task(models, scale)
    usual = BLUR if task == "deblur" else "bi"
    first, last = score or (1, None)
    conventions = Conventions(
        task, (degradation or usual).lower(), factor, frames, first, last, skip_ends, border
    )
    files = find_clips(data, pairs=task == "deblur")
    with _shown_progress(quiet) as report:
        clips = list(compare(models, files, conventions, report))
    for line in sorted({f"{name_of(m)}: {warning}" for m in models for warning in m.warnings}):
        print(line, file=sys.stderr)
    if json_file is not None:
        text = json.dumps(as_json(models, clips, conventions), indent=1) + "\n"
        if to_stdout:
            print(text, end="")
        else:
            with AtomicOutput(json_file, overwrite=True) as path:
                path.write_text(text, encoding="utf-8")
    if plot is not None:
        write_plot(clips, plot)
    if not to_stdout:
        rows = [row for clip in clips for row in rows_of(clip)]
        _print_table([*rows, *means_over_clips(rows)], conventions)


def _print_table(rows: Sequence[Row], conventions: Conventions) -> None:
    table = new_table()
    table.add_column("clip", overflow="fold")
    table.add_column("model", overflow="fold")
    used = [key for key in _COLUMNS if any(key in row.values for row in rows)]
    for key in used:
        table.add_column(_COLUMNS[key][0], justify="right", no_wrap=True)
    for index, row in enumerate(rows):
        clip = row.clip if row.part == "all" else f"{row.clip} {row.part}"
        cells = (format(row.values[k], _COLUMNS[k][1]) if k in row.values else "" for k in used)
        ends = index + 1 < len(rows) and rows[index + 1].clip != row.clip
        table.add_row(clip, row.model, *cells, end_section=ends)
    console = table_console()
    console.print(table)
    for label, text in conventions.in_words().items():
        shown = _COLUMNS.get(label, (label, ""))[0]
        if label not in _COLUMNS or label in used:
            console.print(f"{shown}: {text}.")


@contextlib.contextmanager
def _shown_progress(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A callback that shows on stderr how far the scoring is while the block runs."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _bar() as callback:
            yield callback
    else:
        yield _line


def _line(progress: Progress) -> None:
    if not progress.frames:
        print(f"{progress.clip}: {progress.model}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(bar_width=30), TextColumn("{task.description}"))
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: Progress) -> None:
            at = f"{progress.clip}: {progress.model}, {progress.frames}/{progress.expected} frames"
            bar.update(task, completed=progress.frames, total=progress.expected, description=at)

        yield show
