"""Damaged files read in worker processes, which may crash, hang or run out of memory."""

from __future__ import annotations

import os
import resource
import select
import signal
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from fuzz.mutations import mutated
from fuzz.seeds import Seed

from vsrcli.errors import VsrError
from vsrcli.media.images import open_source, probe_source
from vsrcli.media.streams import CarriedStreams
from vsrcli.onnx.file import read
from vsrcli.zoo.official import import_checkpoint
from vsrcli.zoo.weights import load_weights

MOST_SECONDS = 60
"""Processor time that one file may take; a worker that waits for something else gets more."""
_PATIENCE = 10
"""So many times longer: on a busy machine a worker that wants to go on may have to wait."""
MOST_MEMORY = 4 << 30
"""Bytes of address space that a worker gets on top of what it begins with."""
_FRAMES = 4
"""Decoded of each file."""
_ANSWER = struct.Struct("<QdI")
"""Bytes and seconds that a file took, and its origin; then what became of it."""
_CHECKPOINTS = {".safetensors", ".pth", ".zip", ".onnx"}


@dataclass
class Tally:
    """What became of the files."""

    done: int = 0
    read: int = 0
    """Files that could be read all the same."""
    refused: int = 0
    """Files that were refused in a line."""
    crashes: list[str] = field(default_factory=list)
    """Workers that a signal ended: contained, with the seed that does it again."""
    hangs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Exceptions that are not meant for users."""
    memory: int = 0
    """Bytes: the most that a worker grew by while it read one file."""
    memory_by: str = ""
    seconds: float = 0.0
    """The most processor time that one file took."""
    seconds_by: str = ""
    origins: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.done} files: {self.read} read, {self.refused} refused,"
            f" {len(self.crashes)} crashes contained, {len(self.hangs)} hangs,"
            f" {len(self.faults)} faults; at most {self.memory >> 20} MiB ({self.memory_by}) and"
            f" {self.seconds:.1f} s ({self.seconds_by}) for a file"
        )


def fuzz(
    seed: int,
    numbers: Iterator[int],
    files: Sequence[Seed],
    folder: Path,
    workers: int = 1,
    stop: Callable[[Tally], bool] = lambda tally: False,
) -> Tally:
    """Read the damaged files with these numbers, each in one of the workers.

    A file is made anew by `mutated(seed, number, ...)`, which names it. `stop` is asked after each.
    """
    tally = Tally()
    running = {
        worker.answers: worker for worker in (_Worker(seed, files, folder) for _ in range(workers))
    }
    try:
        for worker in running.values():
            worker.begin(next(numbers, None))
        while any(worker.number is not None for worker in running.values()):
            ready, _, _ = select.select(list(running), [], [], 1.0)
            for worker in list(running.values()):
                if worker.number is None:
                    continue
                if worker.answers in ready:
                    alive = worker.collect(tally)
                elif worker.seconds > MOST_SECONDS:
                    tally.hangs.append(worker.title)
                    alive = False
                else:
                    continue
                tally.done += 1
                if not alive:
                    del running[worker.answers]
                    worker.end()
                    worker = _Worker(seed, files, folder)
                    running[worker.answers] = worker
                worker.begin(None if stop(tally) else next(numbers, None))
    finally:
        for worker in running.values():
            worker.end()
    return tally


class _Worker:
    """A forked process that reads one damaged file after the other."""

    def __init__(self, seed: int, files: Sequence[Seed], folder: Path) -> None:
        self.number: int | None = None
        self._seed, self._files = seed, files
        orders, self._orders = os.pipe()
        self.answers, answers = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            try:
                os.close(self._orders)
                os.close(self.answers)
                _serve(seed, files, folder, orders, answers)
            finally:
                os._exit(0)
        os.close(orders)
        os.close(answers)

    @property
    def seconds(self) -> float:
        """For which it has read its file: of the processor, or a part of the time that went by."""
        return max(self._worked() - self._before, (time.monotonic() - self._begun) / _PATIENCE)

    def _worked(self) -> float:
        """Seconds of processor time that the process has had."""
        fields = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def title(self) -> str:
        """The file it reads: seed, number and origin."""
        assert self.number is not None
        origin, _ = mutated(self._seed, self.number, [file.content for file in self._files])
        return f"seed {self._seed} number {self.number} ({self._files[origin].name})"

    def begin(self, number: int | None) -> None:
        """Give it the next file; None for none."""
        self.number = number
        self._before, self._begun = self._worked(), time.monotonic()
        if number is not None:
            os.write(self._orders, struct.pack("<Q", number))

    def collect(self, tally: Tally) -> bool:
        """Count what became of its file; False when it has died of it."""
        answer = os.read(self.answers, 1 << 16)
        if not answer:
            _, status = os.waitpid(self._process, 0)
            self._process = 0
            number = os.waitstatus_to_exitcode(status)
            name = signal.Signals(-number).name if number < 0 else f"exit {number}"
            tally.crashes.append(f"{self.title}: {name}")
            return False
        memory, seconds, origin = _ANSWER.unpack_from(answer)
        rest = answer[_ANSWER.size :]
        kind, fault = rest[:1], rest[1:].decode(errors="replace")
        tally.origins[self._files[origin].name] += 1
        if kind == b"r":
            tally.read += 1
        elif kind == b"v":
            tally.refused += 1
        else:
            tally.faults.append(f"{self.title}: {fault}")
        if memory > tally.memory:
            tally.memory, tally.memory_by = memory, self.title
        if seconds > tally.seconds:
            tally.seconds, tally.seconds_by = seconds, self.title
        return True

    def end(self) -> None:
        """Kill it, if it lives."""
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        os.close(self._orders)
        os.close(self.answers)


def _serve(seed: int, files: Sequence[Seed], folder: Path, orders: int, answers: int) -> None:
    """The worker's side: reads until it is killed or its orders end."""
    torch.set_num_threads(1)  # others have not come along, and would be waited for
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _memory("VmSize") + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    contents = [file.content for file in files]
    while order := os.read(orders, 8):
        (number,) = struct.unpack("<Q", order)
        origin, content = mutated(seed, number, contents)
        path = folder / f"{os.getpid()}-{files[origin].name}"
        path.write_bytes(content)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, begun = _memory("VmRSS"), time.process_time()
        kind, fault = b"r", ""
        try:
            read_whole(path)
        except (VsrError, MemoryError):
            kind = b"v"
        except Exception as error:
            last = error.__traceback__
            while last is not None and last.tb_next is not None:
                last = last.tb_next
            place = f" in {last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else ""
            kind, fault = b"f", f"{type(error).__name__}: {error}{place}"[:2000]
        used = max(0, _memory("VmHWM") - before)
        took = time.process_time() - begun
        # Before the answer, after which the worker may be ended at any moment.
        path.unlink()
        os.write(answers, _ANSWER.pack(used, took, origin) + kind + fault.encode())


def read_whole(path: Path) -> None:
    """Probe a file, decode its first frames and demux the rest; or load it as a checkpoint."""
    if path.suffix in _CHECKPOINTS:
        if path.suffix == ".safetensors":
            load_weights(path)
        elif path.suffix == ".onnx":
            read(path)
        else:
            import_checkpoint("stfan", path)
        return
    info = probe_source(path)
    with open_source(path, info=info) as frames:
        for _, _frame in zip(range(_FRAMES), frames, strict=False):
            pass
    if info.format != "images":
        with CarriedStreams(path, info.video.index, "matroska") as streams:
            for _, _packet in zip(range(50), streams._packets, strict=False):
                pass


def _memory(name: str) -> int:
    """Bytes of this process, by the kernel's name of the figure."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise KeyError(name)


def written(seed: int, number: int, files: Sequence[Seed], folder: Path) -> Path:
    """The damaged file, written into `folder` for a look at it."""
    origin, content = mutated(seed, number, [file.content for file in files])
    path = folder / f"{seed}-{number}-{files[origin].name}"
    path.write_bytes(content)
    return path
