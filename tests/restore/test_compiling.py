"""Parts that are compiled once a job has lasted."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from models import tiny_weights
from torch import Tensor

from vsrcli.networks.spec import Groups, Window
from vsrcli.restore.compiling import CompilingRecorder, compiled, is_compilable
from vsrcli.restore.graphs import Graphs, Work
from vsrcli.restore.restorer import load


class Stopwatch:
    """Records nothing; the time that work takes is written on it."""

    def __init__(self, records: bool = True) -> None:
        self._records = records

    def __call__(self, work: Work, given: tuple[Any, ...]) -> Work | None:
        return work if self._records else None

    def seconds(self, work: Work, given: tuple[Any, ...]) -> float:
        return work(*given)[1]  # type: ignore[no-any-return]


def slow(x: int) -> tuple[int, float]:
    return x, 2.0


def compiled_to(seconds: float) -> Any:
    return lambda work: lambda x: (work(x)[0], seconds)


@pytest.mark.parametrize("records", [True, False])
def test_what_is_compiled_is_kept_if_it_is_faster(records: bool) -> None:
    for seconds, kept in ((1.0, 1.0), (3.0, 2.0)):
        recorder = CompilingRecorder(Stopwatch(records), compiled_to(seconds), worth_after=0)
        part = recorder(slow, (5,))
        assert part is not None
        assert [part(5), part(6)] == [(5, kept), (6, kept)]


def test_a_short_job_compiles_nothing() -> None:
    def compiler(work: Work) -> Work:
        raise AssertionError("compiled")

    part = CompilingRecorder(Stopwatch(), compiler, worth_after=60)(slow, (5,))
    assert part is not None and part(5) == (5, 2.0)


def test_where_compiling_fails_it_is_tried_once_and_the_job_goes_on() -> None:
    tried = 0

    def compiler(work: Work) -> Work:
        nonlocal tried
        tried += 1
        raise RuntimeError("no C compiler")

    part = CompilingRecorder(Stopwatch(), compiler, worth_after=0)(slow, (5,))
    assert part is not None
    assert [part(5), part(5)] == [(5, 2.0)] * 2 and tried == 1


def test_networks_of_many_small_loops_are_not_compiled() -> None:
    assert is_compilable(Window(3)) and not is_compilable(Groups(4))


def test_the_compiler_reads_the_parts(tmp_path: Path, real_clip: Tensor) -> None:
    """With a backend that runs what was read as it is: the same pictures, from compiled parts."""
    read = 0

    def compiler(work: Work) -> Work:
        nonlocal read
        read += 1
        return compiled(work, "eager")

    class Chosen:
        """Takes what is new for faster."""

        def __init__(self) -> None:
            self.calls = 0

        def __call__(self, work: Work, given: tuple[Any, ...]) -> Work:
            return work

        def seconds(self, work: Work, given: tuple[Any, ...]) -> float:
            self.calls += 1
            return 1.0 if self.calls % 2 else 2.0

    restorer = load(str(tiny_weights(tmp_path, name="tga")), device="cpu", precision="fp32")
    frames = list(real_clip[:6, :, :32, :40])
    plain = list(restorer.stream(frames))
    recorder = CompilingRecorder(Chosen(), compiler, worth_after=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restorer, "_recordings", partial(Graphs, recorder))
        restorer.graphs = True
        made = list(restorer.stream(frames))
    assert read >= 2
    for a, b in zip(plain, made, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
