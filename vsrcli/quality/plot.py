"""The scores of every frame as curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vsrcli.errors import UsageError
from vsrcli.media.output import AtomicOutput
from vsrcli.quality.comparison import ScoredClip

_WIDTH, _HEIGHT = 9.0, 3.2
"""Inches for a clip."""


def check_plot(path: Path, option: str = "--plot") -> None:
    """Raises UsageError if matplotlib is missing, or knows no format by the end of the name that
    was given with the option."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(f"{option} needs matplotlib: pip install 'vsrcli[report]'") from None
    formats = Figure().canvas.get_supported_filetypes()
    if _format(path) not in formats:
        raise UsageError(f"{option} {path}: name the file by its format, {', '.join(formats)}")


def write_plot(clips: Sequence[ScoredClip], path: Path) -> None:
    """Draw luma PSNR over the frames of each clip, a curve a model, into a file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(clips)), layout="constrained")
    panels = figure.subplots(len(clips), squeeze=False)[:, 0]
    for panel, clip in zip(panels, clips, strict=True):
        for scores in clip.scores:
            frames = [score.frame for score in scores.frames]
            values = [score.psnr_y for score in scores.frames]
            panel.plot(frames, values, marker=".", label=scores.model)
        panel.set(title=clip.files.name, xlabel="frame", ylabel="PSNR-Y, dB")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
        panel.legend()
    with AtomicOutput(path, overwrite=True) as whole:
        figure.savefig(whole, format=_format(path))


def _format(path: Path) -> str:
    return path.suffix[1:].lower()
