"""How steady a restored video is beside its ground truth: tOF and flicker.

Both compare two moments, each a pair (2, 3, H, W) in [0, 1]: the restored frame and the true one.
Luma is that of `metrics.luma`, in code values of 255; `border` pixels on each side do not count.
"""

from __future__ import annotations

from torch import Tensor

from vsrcli.quality.flow import flow
from vsrcli.quality.metrics import inside, luma


def flow_error(before: Tensor, after: Tensor, border: int = 0) -> Tensor:
    """tOF: mean distance in pixels between where the restored pixels went and the true ones.

    Chu et al., "Learning Temporal Coherence via Self-Supervision for GAN-based Video Generation"
    (TecoGAN), 2020, who use Farneback's flow; with that of `quality.flow` figures compare among
    themselves and not with papers.
    """
    restored, true = flow(luma(before), luma(after))
    return inside((restored - true).norm(dim=0), border).mean()


def flicker(before: Tensor, after: Tensor, border: int = 0) -> Tensor:
    """Mean absolute change of the luma error from one moment to the next, in code values."""
    restored, true = luma(after) - luma(before)
    return inside((restored - true).abs(), border).mean()
