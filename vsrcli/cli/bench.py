"""`vsr bench`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vsrcli.cli.job import Backend, Device, Precision, Quiet, option
from vsrcli.cli.options import Debug, parse_size
from vsrcli.cli.tables import new_table, table_console
from vsrcli.errors import UsageError

if TYPE_CHECKING:
    from vsrcli.bench.table import Table

_STDOUT = Path("-")


def bench(
    model: Annotated[
        str | None,
        option(
            "Model",
            "Models, or paths of weights files; by default all that differ in more than their "
            "weights, with --pipeline the one that vsr upscale takes.",
            metavar="NAME[,NAME...]",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        list[Any] | None,
        option(
            "Model",
            "Of the input; repeatable. 320x180 without it.",
            parser=parse_size,
            metavar="WxH",
            show_default=False,
        ),
    ] = None,
    pipeline: Annotated[
        Path | None,
        option("Model", "Time the whole job with this video, from file to file.", metavar="CLIP"),
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    backend: Backend = None,
    batch: Annotated[int | None, option("Speed", "Pictures worked on at once.")] = None,
    runs: Annotated[
        int, option("Speed", "Steps to time at least; those of a minute are enough.")
    ] = 5,
    json_file: Annotated[
        Path | None, option("Output", "All that was found; - is stdout.", "--json", metavar="FILE")
    ] = None,
    plot: Annotated[
        Path | None, option("Output", "A picture, such as bench.png.", metavar="FILE")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        option("Output", "Show two files of --json side by side instead.", metavar="A B"),
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Time the models on this machine, beside what it can do at best."""
    from vsrcli.bench.compare import pairs_of
    from vsrcli.bench.plot import write_plot
    from vsrcli.bench.result import read_result
    from vsrcli.bench.run import Request, run
    from vsrcli.bench.table import explained, table_of_jobs, table_of_pairs, table_of_rows
    from vsrcli.media.output import AtomicOutput, check_output
    from vsrcli.quality.plot import check_plot

    if compare is not None:
        if model or size or pipeline or json_file or plot:
            raise UsageError("--compare only shows two files; leave the other options out")
        pairs = pairs_of(*map(read_result, compare))
        if not pairs:
            raise UsageError("{} and {} have no model at the same size in common".format(*compare))
        _print(table_of_pairs(pairs))
        return
    if pipeline is not None and (size or batch is not None):
        raise UsageError("--pipeline takes its size from the clip and its batch as jobs do")
    request = Request(
        models=tuple(model.split(",")) if model else (),
        sizes=tuple(size or [(320, 180)]),
        clip=pipeline,
        device=device,
        precision=precision,
        backend=backend,
        batch=batch,
        runs=runs,
    )
    for file in (json_file, plot):
        if file is not None and file != _STDOUT:
            check_output(file, overwrite=True, inputs=[pipeline] if pipeline else [])
    if plot is not None:
        check_plot(plot)

    def report(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    result = run(request, report)
    if json_file is not None:
        text = json.dumps(result.as_json(), indent=1) + "\n"
        if json_file == _STDOUT:
            print(text, end="")
        else:
            with AtomicOutput(json_file, overwrite=True) as path:
                path.write_text(text, encoding="utf-8")
    if plot is not None:
        write_plot(result, plot)
    if json_file != _STDOUT:
        if result.rows:
            _print(table_of_rows(result.rows))
        if result.jobs:
            _print(table_of_jobs(result.jobs))
        for line in explained(result):
            print(line)


def _print(table: Table) -> None:
    shown = new_table()
    for index, heading in enumerate(table.headings):
        shown.add_column(heading, justify="left" if index < table.words else "right")
    for row in table.rows:
        shown.add_row(*row)
    table_console().print(shown)
