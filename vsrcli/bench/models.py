"""Timing models alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from vsrcli.bench.frames import moving_picture
from vsrcli.bench.memory import forget_peak, peak
from vsrcli.bench.probe import Peak, probe_arithmetic, workload_for
from vsrcli.bench.result import Row
from vsrcli.bench.subjects import Subject, find_subject
from vsrcli.bench.timing import Effort, marks_for, time_stream
from vsrcli.networks.cost import flop_per_frame
from vsrcli.restore.device import Backend, Precision
from vsrcli.restore.restorer import NAMES, Restorer, load

Size = tuple[int, int]
"""(width, height)"""


@dataclass(frozen=True)
class How:
    """How the models run."""

    device: torch.device
    precision: Precision = "auto"
    backend: Backend | None = None
    batch: int | None = None
    effort: Effort = Effort()


class Peaks:
    """What a device reaches at best in each precision, found when it is first asked for."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.found: dict[str, Peak] = {}

    def of(self, dtype: torch.dtype) -> Peak:
        name = NAMES[dtype]
        if name not in self.found:
            self.found[name] = probe_arithmetic(self._device, dtype, workload_for(self._device))
        return self.found[name]


def time_model(
    name: str,
    sizes: Sequence[Size],
    how: How,
    peaks: Peaks,
    folder: Path,
    report: Callable[[str], None],
) -> Iterator[Row]:
    """A row for every size of the input. `folder` takes temporary files; `report` is told what
    comes next.

    Raises a VsrError when the model cannot be loaded or does not fit the device.
    """
    subject = find_subject(name, folder)
    restorer = load(
        name,
        subject.weights,
        str(how.device),
        how.precision,
        batch=how.batch,
        backend=how.backend,
    )
    for size in sizes:
        report("{} {}x{}".format(name, *size))
        yield _row(subject, restorer, size, how, peaks)


def _row(subject: Subject, restorer: Restorer, size: Size, how: How, peaks: Peaks) -> Row:
    frames = moving_picture(*size, how.device)
    timing = time_stream(
        restorer.stream,
        frames,
        how.effort,
        marks_for(how.device),
        begun=lambda: forget_peak(how.device),
    )
    memory = peak(how.device)
    network = subject.network
    return Row(
        model=subject.name,
        trained=subject.trained,
        backend=restorer.backend,
        precision=NAMES[restorer.dtype],
        input_size=size,
        output_size=timing.size,
        seconds=timing.seconds,
        quartiles=timing.quartiles,
        runs=timing.runs,
        frames=timing.frames,
        memory=memory,
        flop=None if network is None else flop_per_frame(network, *size),
        peak=peaks.of(restorer.dtype).flop_rate,
        notes=tuple(dict.fromkeys(restorer.warnings)),
    )
