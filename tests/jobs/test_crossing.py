"""Tensors handed from one thread's stream to another's."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vsrcli.jobs.channel import Stopped
from vsrcli.jobs.crossing import Crossing, own_stream
from vsrcli.jobs.transfer import downloading, uploaded

CUDA = torch.device("cuda")


def _sent(crossing: Crossing[Tensor], make: Callable[[int], Tensor], count: int) -> None:
    def send() -> None:
        with own_stream(crossing._device):
            for index in range(count):
                crossing.put(make(index))
            crossing.finish()

    threading.Thread(target=send).start()


def test_items_come_in_order() -> None:
    crossing = Crossing[Tensor](2, torch.device("cpu"), lambda item: (item,))
    _sent(crossing, torch.tensor, 7)
    assert [int(item) for item in crossing] == list(range(7))


def test_both_sides_stop() -> None:
    crossing = Crossing[Tensor](1, torch.device("cpu"), lambda item: (item,))
    crossing.stop()
    with pytest.raises(Stopped):
        crossing.put(torch.tensor(1))
    with pytest.raises(Stopped):
        next(iter(crossing))


def test_the_receivers_stream_waits_for_the_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[object, ...]] = []

    class Event:
        def record(self, stream: Stream) -> None:
            told.append(("made in", stream.name))

    class Stream:
        name = "sender"

        def wait_event(self, event: Event) -> None:
            told.append(("waits", self.name))

    class Made:
        def record_stream(self, stream: Stream) -> None:
            told.append(("used in", stream.name))

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    crossing = Crossing[Made](1, CUDA, lambda item: (item, item))  # type: ignore[return-value]
    crossing.put(Made())
    monkeypatch.setattr(Stream, "name", "receiver")
    next(iter(crossing))
    used = ("used in", "receiver")
    assert told == [("made in", "sender"), ("waits", "receiver"), used, used]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_samples_stay_what_they_are(dtype: torch.dtype) -> None:
    samples = torch.arange(12, dtype=torch.int32).to(dtype).view(3, 4)[:, :3]
    (back,) = downloading([uploaded(samples, torch.device("cpu"))])()
    assert back.dtype == dtype and torch.equal(back, samples)


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_samples_come_back_from_a_card(dtype: torch.dtype) -> None:
    wide = torch.arange(64, dtype=torch.int32).to(dtype).view(8, 8)
    for samples in (wide, wide[:, :5]):  # rows of decoders are longer than the picture
        there = uploaded(samples, CUDA)
        assert there.device.type == "cuda"
        (back,) = downloading([there])()
        assert back.dtype == dtype and torch.equal(back, samples)


@pytest.mark.cuda
def test_long_work_is_waited_for_by_the_card_alone() -> None:
    """The sender's stream is busy when the receiver gets an item; memory is not used too early."""

    def make(index: int) -> Tensor:
        x = torch.full((2048, 2048), float(index), device=CUDA)
        for _ in range(30):
            x = (x @ torch.eye(2048, device=CUDA)).clone()
        return x

    crossing = Crossing[Tensor](3, CUDA, lambda item: (item,))
    _sent(crossing, make, 10)
    with own_stream(CUDA):
        sums = [item.double().mean() for item in crossing]
        assert [round(float(x)) for x in sums] == list(range(10))
