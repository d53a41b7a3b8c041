"""What a bench found as the cells of tables, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vsrcli.bench.compare import Pair
from vsrcli.bench.result import Job, Result, Row


@dataclass(frozen=True)
class Table:
    """Headings and rows of as many cells. The first `words` columns hold words, the others
    figures."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: int


def table_of_rows(rows: Sequence[Row]) -> Table:
    """The models alone."""
    headings = (
        *("model", "input", "output", "in"),
        *("at once", "ms a frame", "quartiles", "fps", "memory", "GFLOP", "GFLOP/s", "of peak"),
    )
    return Table(headings, [_row(row) for row in rows], 4)


def _row(row: Row) -> tuple[str, ...]:
    return (
        _named(row.model, row.trained),
        _size(row.input_size),
        _size(row.output_size),
        _how(row.backend, row.precision),
        str(row.frames),
        _figure(1000 * row.seconds),
        "-".join(_figure(1000 * seconds) for seconds in row.quartiles),
        _figure(row.fps),
        "" if row.memory is None else f"{row.memory / 2**20:,.0f} MiB",
        "" if row.flop is None else _figure(row.flop / 1e9),
        "" if row.flop_rate is None else _figure(row.flop_rate / 1e9),
        "" if row.share is None else f"{row.share:.0%}",
    )


def table_of_jobs(jobs: Sequence[Job]) -> Table:
    """The whole jobs."""
    parts = list(jobs[0].shares)
    headings = (
        *("model", "clip", "input", "output", "in"),
        *("frames", "fps", "model alone", "pace", *parts, "bound by", "busy"),
    )
    return Table(headings, [_job(job) for job in jobs], 5)


def _job(job: Job) -> tuple[str, ...]:
    return (
        _named(job.model, job.trained),
        job.clip,
        _size(job.input_size),
        _size(job.output_size),
        _how(job.backend, job.precision),
        str(job.frames),
        _figure(job.fps),
        _figure(job.alone_fps),
        f"{job.pace:.2f}",
        *(f"{share:.0%}" for share in job.shares.values()),
        job.bound,
        f"{job.busy:.0%}",
    )


def table_of_pairs(pairs: Sequence[Pair]) -> Table:
    """Two benches side by side."""
    headings = ("model", "input", "A", "B", "A, ms a frame", "B, ms a frame", "A / B")
    rows = [
        (
            pair.name,
            _size(pair.input_size),
            _how(pair.a.backend, pair.a.precision),
            _how(pair.b.backend, pair.b.precision),
            _figure(1000 / pair.a.fps),
            _figure(1000 / pair.b.fps),
            f"{pair.ratio:.2f}",
        )
        for pair in pairs
    ]
    return Table(headings, rows, 4)


def explained(result: Result) -> list[str]:
    """What the reader of the tables must know, in lines."""
    machine, lines = result.machine, []
    lines.append(f"{machine.name}; {_versions(result)}; {result.date[:10]}.")
    if machine.load is not None:
        lines.append(f"Load before the bench: {machine.load:.2f} of {machine.cores} cores.")
    for precision, peak in result.peaks.items():
        lines.append(
            f"Peak in {precision}: {_figure(peak.flop_rate / 1e9)} GFLOP/s, by a {peak.by}."
        )
    if result.copy_rate is not None:
        lines.append(f"Copying: {_figure(result.copy_rate / 1e9)} GB/s, read and written.")
    if not all(item.trained for item in result.items):
        lines.append("* with random weights, which take as long as trained ones.")
    notes = {f"{item.model}: {note}" for item in result.items for note in item.notes}
    return [*lines, *sorted(notes)]


def in_markdown(table: Table) -> str:
    """The table in Markdown, with a line break at its end."""
    rule = ("---" if i < table.words else "---:" for i in range(len(table.headings)))
    lines = (table.headings, rule, *table.rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _versions(result: Result) -> str:
    machine = result.machine
    versions = machine.versions
    if machine.card is None:
        return f"vsr {versions['vsr']}, torch {versions['torch']}"
    card = machine.card
    return (
        f"vsr {versions['vsr']}, torch {versions['torch']}, CUDA {card.cuda}, cuDNN {card.cudnn}, "
        f"driver {card.driver}"
    )


def _named(model: str, trained: bool) -> str:
    return model if trained else f"{model}*"


def _size(size: tuple[int, int]) -> str:
    return "{}x{}".format(*size)


def _how(backend: str, precision: str) -> str:
    return precision if backend == "torch" else f"{precision}, {backend}"


def _figure(value: float) -> str:
    """Three figures that count, more before the point where there are more."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
