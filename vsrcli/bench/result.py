"""What a bench found, and the JSON file that keeps it.

    {
      "date": "2026-03-01T12:00:00+00:00",
      "machine": {...},             the fields of `machine.Machine`
      "clocks": {...},              MHz, found while the device was still warm; see `clocks_of`
      "peaks": {"bf16": {"flop_rate": ..., "by": "3x3 convolution of 128 channels"}},
      "copy_rate": ...,             bytes a second; see `probe.probe_copy`
      "rows": [...],                the fields of `Row`, and "fps", "flop_rate" and "share"
      "jobs": [...]                 the fields of `Job`, and "fps", "alone_fps", "pace", "shares",
                                    "bound" and "busy"
    }

Times are seconds, memory bytes, work single operations. What is not known is null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from vsrcli.bench.machine import Card, Machine
from vsrcli.bench.probe import Peak
from vsrcli.errors import InputError
from vsrcli.jobs.clock import STAGES

PARTS = {
    "decode": ("decode",),
    "color": ("to_rgb", "from_rgb"),
    "copy": ("upload", "download"),
    "inference": ("restore",),
    "encode": ("encode",),
}
"""The parts of a job's work that are told apart, and the steps of each (see `jobs.clock`)."""


@dataclass(frozen=True)
class Row:
    """A model alone, in the stream form in which jobs run it, once it flows."""

    model: str
    trained: bool
    """Whether it ran with weights that were trained; that does not matter to the time."""
    backend: str
    precision: str
    """In which it ran."""
    input_size: tuple[int, int]
    """(width, height)"""
    output_size: tuple[int, int]
    seconds: float
    """For an output frame: the median over `runs` steps of the stream."""
    quartiles: tuple[float, float]
    runs: int
    frames: int
    """Output frames that come at a time: of a step of the stream."""
    memory: int | None
    """At the peak: of a card what torch held for tensors, else of the whole process."""
    flop: float | None
    """Of an output frame, counted from the network; see `networks.cost`. None if unknown."""
    peak: float | None
    """Operations a second that the device reached at best in this precision, in the same run."""
    notes: tuple[str, ...] = ()

    @property
    def fps(self) -> float:
        """Output frames a second."""
        return 1 / self.seconds

    @property
    def flop_rate(self) -> float | None:
        """Operations a second."""
        return None if self.flop is None else self.flop / self.seconds

    @property
    def share(self) -> float | None:
        """Of the device's peak."""
        rate = self.flop_rate
        return None if rate is None or self.peak is None else rate / self.peak


@dataclass(frozen=True)
class Job:
    """A whole job, from file to file, and the model alone on frames of the same clip."""

    model: str
    trained: bool
    backend: str
    precision: str
    clip: str
    """The file's name."""
    input_size: tuple[int, int]
    output_size: tuple[int, int]
    codec: str
    frames: int
    """Written."""
    seconds: float
    """For all of them; the model was loaded before."""
    alone: float
    """Seconds for an output frame of the model alone."""
    work: dict[str, float]
    """Seconds that each step of `jobs.clock.STEPS` worked. Codecs have threads of their own: of
    these only what the job waits for is seen."""
    notes: tuple[str, ...] = ()

    @property
    def fps(self) -> float:
        """Output frames a second."""
        return self.frames / self.seconds

    @property
    def alone_fps(self) -> float:
        """Those of the model alone."""
        return 1 / self.alone

    @property
    def pace(self) -> float:
        """Of the job, 1 being that of the model alone."""
        return self.fps / self.alone_fps

    @property
    def shares(self) -> dict[str, float]:
        """Of all the work, which is done partly at the same time; they add up to 1."""
        total = sum(self.work.values()) or 1.0
        return {part: sum(self.work[s] for s in steps) / total for part, steps in PARTS.items()}

    @property
    def bound(self) -> str:
        """The part that holds the job up: most of the stage that has the least time to spare."""
        step = max(self._busiest, key=lambda step: self.work[step])
        return next(part for part, steps in PARTS.items() if step in steps)

    @property
    def busy(self) -> float:
        """The share of the time in which that stage worked."""
        return sum(self.work[step] for step in self._busiest) / self.seconds

    @property
    def _busiest(self) -> tuple[str, ...]:
        """The steps of the stage that worked longest."""
        return max(STAGES.values(), key=lambda steps: sum(self.work[step] for step in steps))


@dataclass(frozen=True)
class Result:
    """All that one run of `vsr bench` found."""

    date: str
    """ISO 8601, UTC."""
    machine: Machine
    clocks: dict[str, float]
    peaks: dict[str, Peak]
    """By precision."""
    copy_rate: float | None
    rows: tuple[Row, ...] = ()
    jobs: tuple[Job, ...] = ()

    @property
    def items(self) -> tuple[Row | Job, ...]:
        """Rows and jobs."""
        return *self.rows, *self.jobs

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; see the module."""
        found = asdict(self)
        for made, row in zip(found["rows"], self.rows, strict=True):
            made.update(fps=row.fps, flop_rate=row.flop_rate, share=row.share)
        for made, job in zip(found["jobs"], self.jobs, strict=True):
            names = ("fps", "alone_fps", "pace", "shares", "bound", "busy")
            made.update((name, getattr(job, name)) for name in names)
        return found


def read_result(path: Path) -> Result:
    """The result that `vsr bench --json` wrote; raises InputError if the file is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        machine = found["machine"]
        card = None if machine["card"] is None else _made(Card, machine["card"])
        return Result(
            date=found["date"],
            machine=_made(Machine, {**machine, "card": card}),
            clocks=found["clocks"],
            peaks={name: _made(Peak, peak) for name, peak in found["peaks"].items()},
            copy_rate=found["copy_rate"],
            rows=tuple(_made(Row, row) for row in found["rows"]),
            jobs=tuple(_made(Job, job) for job in found["jobs"]),
        )
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is not what vsr bench --json writes") from None


def _made(kind: type, values: Mapping[str, Any]) -> Any:
    """A dataclass out of its JSON, which may hold more than its fields; arrays become tuples."""
    own = {field.name: values[field.name] for field in fields(kind)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in own.items()})
