"""Decoding in a process of its own: what a file breaks there is one line here.

The process looks at the file, decodes it, and hands the frames over in memory that both see. It
may take so much memory and no more. It holds crashes and bombs; it is no jail: code that took it
over would have the rights of its user.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vsrcli.errors import InputError
from vsrcli.media.frame import Frame
from vsrcli.media.images import open_source, probe_source
from vsrcli.media.info import MediaInfo
from vsrcli.media.reader import FrameSource
from vsrcli.media.splices import Splices

OPENING_MEMORY = 4 << 30
"""Bytes of address space that opening and looking at a file may take."""
_MEMORY_PER_THREAD = 96 << 20
"""Bytes of address space that C libraries set aside for each thread, mostly unused."""
_PICTURES = 48
"""Pictures of 8 bytes a sample that decoding may take besides: those of all threads, those held
back for their order, those on their way."""
_SLOTS = 3
"""Frames in the shared memory."""

_PROGRAM = (
    f"import sys; sys.path[:] = sys.argv[1].split({os.pathsep!r});"
    f" from {__name__} import serve; serve(*sys.argv[2:])"
)
"""Modules come from where this process has them, not from the current folder, where those of
others may lie."""


class _Placed(NamedTuple):
    """A frame whose planes lie in the shared memory."""

    frame: Frame
    planes: tuple[tuple[int, tuple[int, ...], str], ...]
    """Offset, shape and type of each."""


class Sandbox:
    """A process that reads one source: `probe` first, then `open`. A context manager."""

    def __init__(self, opening_memory: int = OPENING_MEMORY) -> None:
        ours, theirs = Pipe()
        self._connection: Connection[Any, Any] = ours
        self._source = ""
        self.memory = os.memfd_create("vsr-frames")
        passed = (theirs.fileno(), self.memory)
        words = (os.pathsep.join(sys.path), *map(str, passed), str(opening_memory))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # where C libraries say that they crash
            pass_fds=passed,
        )
        theirs.close()  # else its end would not be noticed

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._connection.close()
        os.close(self.memory)

    def probe(
        self,
        source: str,
        *,
        allow_protocols: Sequence[str] = (),
        fps: Fraction | None = None,
    ) -> MediaInfo:
        """As `probe_source`; InputError too when the process ends of it."""
        self._source = source
        self.send((source, {"allow_protocols": tuple(allow_protocols), "fps": fps}))
        info: MediaInfo = self.receive()
        return info

    def open(self, info: MediaInfo, **options: Any) -> FrameSource:
        """The frames of what was probed; `options` are others that `open_source` takes, and not
        for a card. Raises what `probe` raises."""
        self.send(options)
        return _FarSource(self, info, self.receive())

    def send(self, message: object) -> None:
        """To the process."""
        try:
            self._connection.send(message)
        except ConnectionError:
            raise InputError(self._end()) from None

    def receive(self) -> Any:
        """What the process says next; raises what it raised."""
        try:
            message = self._connection.recv()
        except (EOFError, ConnectionError):
            raise InputError(self._end()) from None
        if isinstance(message, Exception):
            raise message
        return message

    def _end(self) -> str:
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{self._source}: its decoder crashed ({how}): it is damaged or hostile"


class _FarSource:
    """Frames that come from a sandbox, copied out of the shared memory."""

    time_base: Fraction
    lost: int
    notes: list[str]
    warnings: list[str]
    splices: Splices
    losses: list[str]

    def __init__(self, sandbox: Sandbox, info: MediaInfo, state: Mapping[str, Any]) -> None:
        self.info = info
        self._sandbox = sandbox
        vars(self).update(state)

    def __enter__(self) -> _FarSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to do: the process ends with its sandbox."""

    def __iter__(self) -> Iterator[Frame]:
        size = self._sandbox.receive()
        with mmap.mmap(self._sandbox.memory, size, access=mmap.ACCESS_READ) as memory:
            while isinstance(message := self._sandbox.receive(), _Placed):
                planes = tuple(
                    np.frombuffer(memory, kind, prod(shape), offset).reshape(shape).copy()
                    for offset, shape, kind in message.planes
                )
                self._sandbox.send(None)  # its place is free
                yield replace(message.frame, planes=planes)
        vars(self).update(message)


def serve(connection: str, memory: str, opening: str) -> None:
    """The process: answers a `Sandbox`, whose file descriptors the first two are, until that is
    gone; the third is the memory for opening a file."""
    # What ends a job may come to all its processes; the other one answers, and ends this one.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    answers: Connection[Any, Any] = Connection(int(connection))
    try:
        _read(answers, int(memory), int(opening))
    except Exception as error:
        with contextlib.suppress(OSError):  # when nobody is there to be told
            answers.send(error)


def _read(answers: Connection[Any, Any], memory: int, opening: int) -> None:
    source, looking = answers.recv()
    limit = opening + (os.cpu_count() or 1) * _MEMORY_PER_THREAD
    try:
        _limit_memory(limit)
        info = probe_source(source, **looking)
        answers.send(info)
        options = answers.recv()
        limit += _PICTURES * 8 * info.video.width * info.video.height
        _limit_memory(limit)
        with open_source(source, info=info, **looking, **options) as frames:
            answers.send(_state(frames))
            _hand_over(frames, answers, memory)
            answers.send(_state(frames))
    except MemoryError:
        raise InputError(
            f"{source}: wants more than {limit / 2**30:.0f} GiB of memory to be decoded: it is"
            " damaged or hostile; pass --sandbox-decode off if you trust it"
        ) from None


def _state(frames: FrameSource) -> dict[str, Any]:
    """What a source tells of itself, but for `info`, which the other side has."""
    return {name: getattr(frames, name) for name in FrameSource.__annotations__ if name != "info"}


def _limit_memory(size: int) -> None:
    """Bound the address space of this process to so many bytes more than a bare one has."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    bare = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    if most == resource.RLIM_INFINITY or bare + size < most:
        resource.setrlimit(resource.RLIMIT_AS, (bare + size, most))


def _hand_over(frames: FrameSource, answers: Connection[Any, Any], memory: int) -> None:
    """Put the frames one after the other into the shared memory, as it becomes free."""
    place = taken = 0
    shared: mmap.mmap | None = None
    for frame in frames:
        planes = [np.asarray(plane) for plane in frame.planes]
        size = sum(plane.nbytes for plane in planes)
        if shared is None:
            os.ftruncate(memory, _SLOTS * size)
            shared = mmap.mmap(memory, _SLOTS * size)
            answers.send(_SLOTS * size)
        if taken == _SLOTS:
            answers.recv()
            taken -= 1
        layout, offset = [], place * size
        for plane in planes:
            target = np.frombuffer(shared, plane.dtype, plane.size, offset).reshape(plane.shape)
            target[...] = plane
            layout.append((offset, plane.shape, plane.dtype.str))
            offset += plane.nbytes
        answers.send(_Placed(replace(frame, planes=()), tuple(layout)))
        place, taken = (place + 1) % _SLOTS, taken + 1
    for _ in range(taken):  # whoever is gone before the last is taken has crashed
        answers.recv()
