"""Recordings of a network's parts: which calls play them, and what becomes of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from models import tiny_weights
from torch import Tensor

from vsrcli.networks.spec import Chunk, Recurrent, Window
from vsrcli.restore.graphs import Graphs, Work, tensors_of
from vsrcli.restore.restorer import load
from vsrcli.zoo.weights import load_weights


class State(NamedTuple):
    mean: Tensor
    last: Tensor


class Network:
    """Counts the calls of its parts."""

    spec = "spec"

    def __init__(self) -> None:
        self.calls = 0

    def encode(self, frames: Tensor) -> Tensor:
        self.calls += 1
        return 2 * frames

    def step(self, frame: Tensor, code: Tensor, state: State | None) -> tuple[Tensor, State]:
        self.calls += 1
        before = code if state is None else state.mean
        return frame + code, State((before + code) / 2, frame)


class Replay:
    """Records like a card: one set of buffers for a recording, which every call works in."""

    def __init__(self, pays: bool = True) -> None:
        self.recorded = 0
        self.played = 0
        self._pays = pays

    def __call__(self, work: Work, given: tuple[Any, ...]) -> Work | None:
        self.recorded += 1
        if not self._pays:
            return None

        def play(*given: Any) -> Any:
            self.played += 1
            return work(*given)

        return play


def test_a_shape_is_recorded_when_it_comes_again() -> None:
    network, record = Network(), Replay()
    graphed = Graphs(record).around(network, Recurrent(1))
    assert graphed.spec == "spec"
    for size, recorded, played in (
        (4, 0, 0),
        (4, 1, 1),
        (4, 1, 2),
        (3, 1, 2),
        (4, 1, 3),
        (3, 2, 4),
    ):
        x = torch.rand(size)
        assert torch.equal(graphed.encode(x), 2 * x)
        assert (record.recorded, record.played) == (recorded, played)


def test_a_state_that_is_not_there_is_another_shape() -> None:
    record = Replay()
    graphed = Graphs(record).around(Network(), Recurrent(1))
    plain = Network()
    for _ in range(3):  # scenes
        state = expected_state = None
        for _ in range(3):
            frame, code = torch.rand(2, 4)
            made, state = graphed.step(frame, code, state)
            expected, expected_state = plain.step(frame, code, expected_state)
            assert torch.equal(made, expected)
            assert isinstance(state, State)
            assert torch.equal(state.mean, expected_state.mean)
    assert (record.recorded, record.played) == (2, 2 + 5)


def test_types_and_wanted_outputs_are_told_apart() -> None:
    record = Replay()
    graphed = Graphs(record).around(Network(), Recurrent(1))
    part = graphed.encode
    for given in (torch.zeros(2), torch.zeros(2).half(), torch.zeros(2, 1)):
        part(given)
    assert record.recorded == 0
    part(torch.ones(2))
    assert record.recorded == 1


def test_what_does_not_pay_is_tried_once() -> None:
    record = Replay(pays=False)
    graphed = Graphs(record).around(Network(), Recurrent(1))
    for _ in range(5):
        assert torch.equal(graphed.encode(torch.ones(2)), torch.full((2,), 2.0))
    assert (record.recorded, record.played) == (1, 0)


def test_where_recording_fails_everything_goes_on_without() -> None:
    tried = 0

    def record(work: Work, given: tuple[Any, ...]) -> Work | None:
        nonlocal tried
        tried += 1
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    graphs = Graphs(record)
    graphed = graphs.around(Network(), Recurrent(1))
    for size in (1, 1, 1, 2, 2):
        assert torch.equal(graphed.encode(torch.ones(size)), torch.full((size,), 2.0))
    assert tried == 1
    assert graphs.failure == (
        "CUDA graphs do not work here (operation not permitted); went on without"
    )


@pytest.mark.parametrize("recording", [True, False], ids=["recording", "part"])
def test_recordings_are_given_up_when_memory_runs_out(recording: bool) -> None:
    """They keep what they work in; the caller's smaller attempt needs it."""
    network, record = Network(), Replay()
    full = False

    def records(work: Work, given: tuple[Any, ...]) -> Work | None:
        if full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return record(work, given)

    def encode(frames: Tensor) -> Tensor:
        if full and not recording:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 2 * frames

    network.encode = encode  # type: ignore[method-assign]
    graphs = Graphs(records)
    graphed = graphs.around(network, Recurrent(1))
    graphed.encode(torch.ones(1))
    graphed.encode(torch.ones(1))
    graphed.encode(torch.ones(2))
    full = True
    if recording:
        assert torch.equal(graphed.encode(torch.ones(2)), torch.full((2,), 2.0))
    else:
        with pytest.raises(torch.OutOfMemoryError):
            graphed.encode(torch.ones(1))
    full = False
    played = record.played
    graphed.encode(torch.ones(1))
    assert record.played == played
    assert graphs.failure is None


def test_a_stream_of_chunks_is_left_alone() -> None:
    network = Network()
    assert Graphs(Replay()).around(network, Chunk(1)) is network


def test_tensors_in_any_nest() -> None:
    a, b, c = torch.rand(3, 1)
    assert list(tensors_of(((a, None), [State(b, c)], 3))) == [a, b, c]


@pytest.mark.parametrize("name", ["tga", "stfan", "stdan", "spmc", "basicvsr"])
def test_networks_have_the_parts_and_do_not_mind(
    name: str, tmp_path: Path, real_clip: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, with a recorder that plays the parts themselves."""
    record = Replay()
    monkeypatch.setattr("vsrcli.restore.restorer.CudaRecorder", lambda device: record)
    frames = list(real_clip[:6, :, :32, :40])
    restorer = load(str(tiny_weights(tmp_path, name=name)), device="cpu", precision="fp32")
    plain = list(restorer.stream(frames))
    restorer.graphs = True
    recorded = list(restorer.stream(frames))
    assert record.played > 0
    assert all(torch.equal(a, b) for a, b in zip(plain, recorded, strict=True))


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["tga", "stfan", "stdan", "spmc", "basicvsr"])
def test_a_card_plays_what_it_would_do(
    name: str,
    batch: int,
    precision: str,
    tmp_path: Path,
    real_clip: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every recording is kept, whether it pays or not; scenes of several lengths."""
    monkeypatch.setattr(
        "vsrcli.restore.graphs.CudaRecorder.seconds",
        lambda self, work, given: 0.0 if work.__name__ == "play" else 1.0,
    )
    path = str(tiny_weights(tmp_path, name=name))
    restorer = load(path, device="cuda", precision=precision, batch=batch)  # type: ignore[arg-type]
    cut = torch.rand(3, 32, 40)
    frames = [*real_clip[:7, :, :32, :40], *(cut + 0.01 * torch.rand(3, 32, 40) for _ in range(5))]
    recorded = [frame.cpu() for frame in restorer.stream(frames)]
    assert not any("graphs" in warning for warning in restorer.warnings)
    restorer.graphs = False
    plain = [frame.cpu() for frame in restorer.stream(frames)]
    for a, b in zip(recorded, plain, strict=True):
        assert (a - b).abs().max() < 1 / 255


@pytest.mark.cuda
def test_a_part_that_cannot_be_recorded_is_run(tmp_path: Path) -> None:
    """Asking the card for a number ends a recording; the next job can record again."""
    from vsrcli.restore.graphs import CudaRecorder

    class Asking(Network):
        def encode(self, frames: Tensor) -> Tensor:
            return frames * float(frames.sum())

    graphs = Graphs(CudaRecorder(torch.device("cuda")))
    graphed = graphs.around(Asking(), Recurrent(1))
    stream = torch.cuda.current_stream()
    for _ in range(3):
        assert torch.equal(graphed.encode(torch.ones(2, device="cuda")).cpu(), 2 * torch.ones(2))
    assert graphs.failure is not None
    assert torch.cuda.current_stream() == stream
    network = load_weights(tiny_weights(tmp_path), None).cuda()
    again = Graphs(CudaRecorder(torch.device("cuda"))).around(network, Window(3))
    with torch.no_grad():
        x = torch.rand(1, 3, 16, 16, device="cuda")
        made = [again.frame_features(x) for _ in range(3)]
    assert torch.allclose(made[0], made[2], atol=1e-4)
