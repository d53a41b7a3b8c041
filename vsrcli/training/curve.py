"""A training's log as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vsrcli.errors import InputError
from vsrcli.media.output import AtomicOutput
from vsrcli.training.log import LOG, read_log

_PANELS = (
    ("loss", "loss", "log"),
    ("rate", "learning rate", "linear"),
    ("gain", "validation gain, dB", "linear"),
)
"""Key in the log's rows, label and scale of each curve."""


def draw(run: Path, target: Path) -> None:
    """Write a picture of the log in folder `run`: loss, learning rate and validation gain against
    the time trained.

    Raises InputError if there is nothing to draw; `quality.plot.check_plot` says beforehand if it
    cannot be drawn.
    """
    from matplotlib.figure import Figure

    log = read_log(run / LOG)
    curves = [(curve_of(log, key), label, scale) for key, label, scale in _PANELS]
    curves = [it for it in curves if it[0]]
    if not curves:
        raise InputError(f"{run}: the log has no figures yet; training writes some every 20 s")
    figure = Figure(figsize=(8, 2.5 * len(curves)), layout="constrained")
    panels = figure.subplots(len(curves), sharex=True, squeeze=False)[:, 0]
    for panel, (curve, label, scale) in zip(panels, curves, strict=True):
        minutes, values = zip(*curve, strict=True)
        panel.plot(minutes, values, marker="." if len(curve) < 100 else None)
        panel.set(ylabel=label, yscale=scale)
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel("minutes trained")
    with AtomicOutput(target, overwrite=True) as whole:
        figure.savefig(whole, format=target.suffix[1:].lower())


def curve_of(log: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """Minutes and values, without those after a checkpoint that was gone on from later."""
    curve: list[tuple[float, float]] = []
    for row in log:
        if key in row:
            minutes = row["seconds"] / 60
            while curve and curve[-1][0] > minutes:
                curve.pop()
            curve.append((minutes, row[key]))
    return curve
