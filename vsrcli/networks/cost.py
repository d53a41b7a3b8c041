"""What a network costs, counted from the network itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from vsrcli.networks.architectures import Network
from vsrcli.networks.spec import Bidirectional, Chunk, Groups, Recurrent, Window

_COUNTED_SIDE = 8
"""Pixels a side of the picture that is counted on, at least."""
_FUSED_LINEAR = "mkldnn::_linear_pointwise"
"""Unknown to torch's counter, see `ops.onednn.leaky_linear`."""
_FLOW_SIDE = 32
"""The same for flows: their networks resize pictures to multiples of this."""


def flop_per_frame(network: Network, width: int, height: int) -> float:
    """Floating-point operations, two for each multiply-add, of one output frame for pictures of
    `width` x `height`, in the middle of a long scene and with what the strategy of `network`, on a
    CPU and in evaluation mode, reuses from frame to frame.

    Convolutions and matrix products are counted, as the network is written here: FSTRN's last
    kernel holds zeros, which adds 3 % to it. Not counted is what is done to single numbers, nor
    sampling along offsets and flows, nor filtering with predicted filters.

    A small picture is counted and scaled by the area, padded as the network wants it. Everything
    grows with the area, but for the interpolated picture, which is a thousandth of the work.
    """
    multiple = network.spec.multiple
    side = _padded(_COUNTED_SIDE, multiple)
    area = _padded(width, multiple) * _padded(height, multiple)
    with torch.no_grad():
        return _counted_on(network, torch.full((1, 3, side, side), 0.5)) * area / side**2


def _padded(length: int, multiple: int) -> int:
    return math.ceil(length / multiple) * multiple


def _counted_on(network: Any, frame: Tensor) -> float:
    """The operations of one output frame for `frame` (1, 3, H, W), which stands for its neighbours
    too."""
    strategy = network.spec.strategy
    if isinstance(strategy, Window):

        def next_window() -> None:
            features = network.frame_features(frame)
            network.from_features([features] * (2 * strategy.radius + 1), frame)

        return _counted(next_window)
    if isinstance(strategy, Chunk):
        # In a stream a frame costs what it adds to a clip: no work is done twice.
        longer, long = (frame[None].expand(-1, count, -1, -1, -1) for count in (3, 2))
        return _counted(lambda: network(longer)) - _counted(lambda: network(long))
    if isinstance(strategy, Groups):
        # A group slides on by one frame and keeps the two outputs in its middle.
        wanted = (strategy.size - 2, strategy.size - 1)

        def next_group() -> None:
            features = network.frame_features(frame)
            pair = network.pair_features(features, features)
            network.from_features([features] * strategy.size, [pair] * (strategy.size - 1), wanted)

        return _counted(next_group) / len(wanted)
    if isinstance(strategy, Bidirectional):
        state = network.step_backward(frame, None)
        backward = _counted(lambda: network.step_backward(frame, state))
        forward = _counted(lambda: network.step_forward(frame, state, state))
        picture = frame.new_full((1, 3, _FLOW_SIDE, _FLOW_SIDE), 0.5)
        flows = _counted(lambda: network.flows(picture, picture))
        # The steps over the frames ahead of a chunk serve that chunk alone.
        again = strategy.ahead / strategy.length
        return forward + backward * (1 + again) + flows * frame.numel() / picture.numel()
    assert isinstance(strategy, Recurrent)
    # Not the first frame of a scene, which may cost less.
    _, state = network.step(frame, network.encode(frame), None)
    return _counted(lambda: network.step(frame, network.encode(frame), state))


def _counted(work: Callable[[], object]) -> int:
    counter = _Counter()  # type: ignore[no-untyped-call]
    # The fused attention of CPUs is unknown to the registry; two matrix products are not.
    with counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.flop


class _Counter(TorchDispatchMode):
    """Counts as `torch.utils.flop_counter.FlopCounterMode`, which takes a second to begin."""

    flop = 0

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if func.overloadpacket in flop_registry:
            self.flop += flop_registry[func.overloadpacket](*args, **kwargs, out_val=made)
        elif func.name() == _FUSED_LINEAR:
            x, weight = args[:2]
            self.flop += 2 * x.numel() * weight.shape[0]
        return made

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False keeps torch from loading its compiler, in versions that ask."""
        return False
