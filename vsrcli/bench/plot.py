"""What a bench found as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vsrcli.bench.result import PARTS, Job, Result, Row
from vsrcli.media.output import AtomicOutput


def write_plot(result: Result, path: Path) -> None:
    """Draw the frames a second of every row and job into a file; beside a row its share of the
    device's peak, beside a job the shares of its work.

    Raises OutputError if the file cannot be written; `quality.plot.check_plot` says beforehand
    whether matplotlib can.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.4 + 0.35 * len(result.items)), layout="constrained")
    speed, share = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, item in enumerate(result.items):
        # Dots: a bar has no beginning where the scale has no zero.
        speed.plot(item.fps, place, "o", color="C0")
        speed.annotate(f"{item.fps:.3g}", (item.fps, place), (6, 0), textcoords="offset points")
    speed.set(xscale="log", xlabel="output frames a second", title=result.machine.name)
    speed.set_yticks(range(len(result.items)), [_label(item) for item in result.items])
    speed.margins(0.15)
    speed.grid(axis="x", alpha=0.3)
    speed.invert_yaxis()
    share.set(xlim=(0, 100), xlabel="% of the peak" if result.rows else "% of the work")
    share.barh(range(len(result.rows)), [100 * (row.share or 0) for row in result.rows])
    if result.jobs:
        _draw_parts(share, result)
    with AtomicOutput(path, overwrite=True) as whole:
        figure.savefig(whole, format=path.suffix[1:].lower())


def _draw_parts(panel: Any, result: Result) -> None:
    """The work of the jobs, below the rows."""
    places = range(len(result.rows), len(result.items))
    done = [0.0] * len(places)
    for part in PARTS:
        widths = [100 * job.shares[part] for job in result.jobs]
        panel.barh(places, widths, left=done, label=part)
        done = [left + width for left, width in zip(done, widths, strict=True)]
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1))


def _label(item: Row | Job) -> str:
    size = "{}x{}".format(*item.input_size)
    return f"{item.model}{', whole job' if isinstance(item, Job) else ''} {size} {item.precision}"
