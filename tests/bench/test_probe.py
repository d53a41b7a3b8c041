"""The device's peak, and the machine."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import asdict

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import vsrcli
from vsrcli.bench import machine as machine_module
from vsrcli.bench import probe
from vsrcli.bench.frames import COUNT, moving_picture
from vsrcli.bench.machine import clocks_of, look_at
from vsrcli.bench.memory import forget_peak, peak
from vsrcli.bench.probe import Workload, best_seconds, probe_arithmetic, probe_copy
from vsrcli.restore.scenes import mark_cuts

CPU = torch.device("cpu")
SMALL = Workload([(2, 8, 6, 5)], [16], 4096)


def test_the_shortest_run_counts_but_for_the_first() -> None:
    times = iter([0.0, 3.0, 10.0, 12.0, 20.0, 24.0])
    runs: list[None] = []
    assert best_seconds(lambda: runs.append(None), CPU, lambda: next(times)) == 2
    assert len(runs) == 4


@pytest.fixture
def a_second_each(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Makes every piece of work of a probe take one second; the pieces."""
    works: list[Callable[[], object]] = []

    def best(work: Callable[[], object], device: torch.device) -> float:
        works.append(work)
        return 1.0

    monkeypatch.setattr(probe, "best_seconds", best)
    return works


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_operations_are_those_of_torchs_own_counter(
    a_second_each: list[Callable[[], object]], dtype: torch.dtype
) -> None:
    found = probe_arithmetic(CPU, dtype, SMALL)
    with FlopCounterMode(display=False) as counter:
        counts = [(work(), counter.get_total_flops())[1] for work in a_second_each]
    convolution, product = counts[0], counts[1] - counts[0]
    assert (convolution, product) == (2 * 9 * 8 * 8 * 2 * 6 * 5, 2 * 16**3)
    assert found.flop_rate == max(convolution, product)
    assert found.by == "3x3 convolution of 8 channels"
    made = a_second_each[0]()
    assert isinstance(made, torch.Tensor)
    assert made.dtype == dtype
    assert made.is_contiguous(memory_format=torch.channels_last)


def test_a_copy_reads_and_writes(a_second_each: list[Callable[[], object]]) -> None:
    assert probe_copy(CPU, SMALL) == 2 * 4096


def test_the_machine_is_plain_json() -> None:
    found = json.loads(json.dumps(asdict(look_at(CPU))))
    assert found["device"] == "cpu"
    assert found["processor"]
    assert found["threads"] == torch.get_num_threads()
    assert found["versions"]["vsr"] == vsrcli.__version__
    assert found["versions"]["torch"] == torch.__version__
    assert found["card"] is None
    assert all(value > 0 for value in clocks_of(CPU).values())


def test_a_driver_that_does_not_answer_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        uuid = "0123"

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties())
    monkeypatch.setenv("PATH", "")
    assert machine_module.clocks_of(torch.device("cuda")) == {}


def test_the_peak_of_memory_is_that_of_the_stretch() -> None:
    if peak(CPU) is None:
        pytest.skip("the system does not tell")
    size = 2**26
    gc.collect()  # or what other tests left could go while this one looks
    forget_peak(CPU)
    before = peak(CPU)
    torch.ones(size, dtype=torch.uint8)
    during = peak(CPU)
    forget_peak(CPU)
    after = peak(CPU)
    assert before is not None and during is not None and after is not None
    assert during - before > size * 0.9
    assert during - after > size * 0.9


@pytest.mark.parametrize("size", [(16, 16), (70, 48)])
def test_frames_move_without_a_cut(size: tuple[int, int]) -> None:
    frames = moving_picture(*size, CPU)
    assert len(frames) == COUNT
    assert {tuple(frame.shape) for frame in frames} == {(3, size[1], size[0])}
    whole = torch.stack(frames)
    assert 0 <= float(whole.min()) < float(whole.max()) <= 1
    assert torch.equal(frames[1][:, :-1, :-2], frames[0][:, 1:, 2:])
    starts = [starts for _, starts in mark_cuts([*frames, *frames[-2:0:-1], *frames])]
    assert starts == [True] + [False] * (3 * COUNT - 3)
    assert torch.equal(whole, torch.stack(moving_picture(*size, CPU)))


@pytest.mark.cuda
def test_a_card_is_described_and_probed() -> None:
    device = torch.device("cuda")
    found = look_at(device)
    assert found.card is not None
    assert found.name == found.card.name == torch.cuda.get_device_name(device)
    assert found.card.memory > 2**30
    small = Workload([(1, 64, 32, 32)], [256], 2**20)
    assert probe_arithmetic(device, torch.float16, small).flop_rate > 0
    assert probe_copy(device, small) > 0
    forget_peak(device)
    kept = torch.ones(2**20, device=device)
    assert (peak(device) or 0) >= kept.nbytes
