"""The stop watches of a job."""

from __future__ import annotations

import time

import pytest
import torch

from vsrcli.jobs import clock as module
from vsrcli.jobs.clock import STAGES, STEPS, CudaClock, HostClock, clocks_for


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as its only item."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def test_a_clock_adds_up_its_blocks(at: list[float]) -> None:
    clock = HostClock()
    for seconds in (2.0, 3.0):
        with clock:
            at[0] += seconds
        at[0] += 50
    assert clock.seconds == 5


def test_waits_inside_a_block_are_left_out(at: list[float]) -> None:
    clock = HostClock()
    with clock:
        at[0] += 2
        clock.stop()
        at[0] += 50
        clock.start()
        at[0] += 1
    assert clock.seconds == 3


def test_a_cpu_has_a_clock_of_the_program_for_every_step() -> None:
    clocks = clocks_for(torch.device("cpu"))
    assert tuple(clocks) == STEPS == ("decode", "upload", "to_rgb", "restore", *STAGES["encode"])
    assert all(isinstance(clock, HostClock) for clock in clocks.values())
    assert len({id(clock) for clock in clocks.values()}) == len(STEPS)


@pytest.mark.cuda
def test_a_card_counts_its_own_work_and_no_waits() -> None:
    device = torch.device("cuda")
    clocks = clocks_for(device)
    assert {step for step, clock in clocks.items() if isinstance(clock, HostClock)} == {
        "decode",
        "encode",
    }
    clock = clocks["restore"]
    assert isinstance(clock, CudaClock)
    x = torch.rand(4096, 4096, device=device)
    x = x @ x  # loads the library
    with clock:
        for _ in range(20):
            x = torch.tanh(x @ x)
        torch.cuda.synchronize()
        clock.stop()
        time.sleep(0.5)
        clock.start()
    torch.cuda.synchronize()
    assert 0 < clock.seconds < 0.4
