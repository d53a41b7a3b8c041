"""BasicVSR as one would write it from the paper, for timing beside vsr's."""

from __future__ import annotations

from itertools import islice

import torch
from plain.comparison import Comparison
from torch import Tensor

from vsrcli.networks.basicvsr import BasicVSR
from vsrcli.networks.basicvsr_inference import BasicVSRInference
from vsrcli.networks.spec import Bidirectional
from vsrcli.restore.bidirectional import BidirectionalRunner
from vsrcli.restore.ration import Ration


def compare(network: BasicVSR, dtype: torch.dtype, frames: Tensor) -> Comparison:
    """Both on the clip `frames` (T, 3, H, W); the network as it is trained is the plain writing.

    The plain one has the whole clip at once and so nothing to look ahead to. Ours restores a part
    of it with the rest for its look-ahead, the two in the proportion of a long stream.
    """
    ours, strategy = BasicVSRInference(network, dtype), network.spec.strategy
    assert isinstance(strategy, Bidirectional)
    length = len(frames) * strategy.length // (strategy.length + strategy.ahead)
    runner = BidirectionalRunner(ours, length, len(frames) - length, Ration(None, 1))

    def stream() -> Tensor:
        return torch.stack(list(islice(runner.run(iter(frames)), length)))

    return Comparison(
        plain=lambda: network(frames[None])[0],
        ours=stream,
        plain_frames=len(frames),
        our_frames=length,
        difference=lambda: float((network(frames[None])[0, :length] - stream()).abs().max()),
    )
