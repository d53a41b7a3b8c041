"""How each shipped network is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from vsrcli.errors import UsageError
from vsrcli.networks.architectures import ARCHITECTURES
from vsrcli.networks.fstrn import FSTRNConfig
from vsrcli.networks.spmc import SPMCConfig
from vsrcli.networks.stdan import LITE as STDAN_LITE
from vsrcli.networks.stdan import STDANConfig
from vsrcli.networks.stfan import LITE as STFAN_LITE
from vsrcli.networks.stfan import STFANConfig
from vsrcli.networks.tga import LITE as TGA_LITE
from vsrcli.networks.tga import TGAConfig
from vsrcli.training.losses import Loss
from vsrcli.training.motion import SLOW_SHARE

NetworkConfig = TGAConfig | FSTRNConfig | SPMCConfig | STDANConfig | STFANConfig

Degradation = Literal["bi", "bd", "real", "blur"]

OptimizerName = Literal["adam", "muon"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)

DEGRADATIONS: dict[Degradation, str] = {
    "bi": "bicubic, antialiased, half-pixel grid (BI), rounded to 8 bits",
    "bd": "Gaussian of sigma 1.6, every fourth pixel (BD), rounded to 8 bits",
    "real": "random blur, resizing and noise, then real video compression",
    "blur": "means of 7 to 25 sub-frames in linear light, noise, rounded to 8 bits",
}
"""How the network's input is made, in the words that the weights' header keeps."""


@dataclass(frozen=True)
class Stage:
    """A part of a training before the last, on samples of its own size."""

    until: float
    """Share of the budget at which it ends."""
    patch: int
    batch: int


@dataclass(frozen=True)
class Recipe:
    """One training, apart from how long it may take. The defaults suit two CPU cores."""

    name: str
    network: NetworkConfig
    degradation: Degradation = "bi"
    """How the network's input is made: see `DEGRADATIONS`."""
    scale: int = 4
    frames: int = 7
    """Ground-truth frames of a sample."""
    patch: int = 32
    """Side of the network's input."""
    batch: int = 2
    """Samples a step. On a CPU, where large ones save nothing, the same minutes make more of many
    small steps: see weights/TRAINING.md."""
    growth: tuple[Stage, ...] = ()
    """What comes before `patch` and `batch` hold: small patches, which cost less, at first."""
    optimizer: OptimizerName = "adam"
    """Of the kernels; Adam does for the rest of the parameters."""
    peak_rate: float = 1e-3
    """Learning rate after the warm-up; a cosine takes it to nearly zero at the end."""
    warmup: float = 0.03
    """Share of the budget over which the rate rises."""
    moved_share: float = 0.5
    """Share of moved photographs in a batch; the rest is film."""
    text_share: float = 0.1
    """Share of these, of both kinds, that get text, if the set has any."""
    slow_share: float = SLOW_SHARE
    """Share of the photographs that move slowly. What other frames bring is learnt from them."""
    first_share: float = 0.1
    """Share of the budget that the first stage takes: of SPMC the flow alone, of STFAN the smear
    alone, of STDAN single frames."""
    taught_rate: float = 1.0
    """Learning rate of STFAN's first two stages, in those of the later ones: what is taught there
    can be learnt fast."""
    joint: bool = False
    """Whether SPMC, STDAN and STFAN train all their parts together from the start, as they do at
    the end: to go on from weights."""
    average_decay: float = 0.998
    """Per step, of the moving average of the weights that is kept in the end."""
    clip_norm: float = 1.0
    loss: Loss = "charbonnier"
    charbonnier: float = 1e-3
    """Its softness."""

    def part(self, share: float) -> float:
        """How far the network's own stages are when `share` of the budget is spent."""
        return 1.0 if self.joint else share

    @property
    def taught_until(self) -> float:
        """Share of the budget at which STFAN's first two stages end, of which the second takes
        twice as long as the first."""
        return min(3 * self.first_share, 1)

    def sizes(self, share: float) -> tuple[int, int]:
        """Patch and batch when `share` of the budget is spent."""
        for stage in self.growth:
            if share < stage.until:
                return stage.patch, stage.batch
        return self.patch, self.batch

    @property
    def architecture(self) -> str:
        """The network's name among the architectures."""
        return next(
            name for name, it in ARCHITECTURES.items() if isinstance(self.network, it.config)
        )


_WIDENED_RATE = 1e-4
"""Of networks of the published size that begin at a smaller one: more undoes what that has learnt,
and on a CPU there is time for a finishing course only."""


def _widened(base: Recipe) -> Recipe:
    """The finishing course of a TGA or STDAN begun at a smaller one: a gentle beginning, mostly
    slow pans, and an average short enough for few steps."""
    return replace(base, peak_rate=_WIDENED_RATE, warmup=0.1, slow_share=0.7, average_decay=0.995)


def _spmc(scale: int, patch: int, small: int) -> Recipe:
    """Most of the time on small patches: it works on the fine grid, where each sample is dear."""
    return Recipe(
        f"spmc-x{scale}",
        SPMCConfig(scale=scale),
        scale=scale,
        frames=3,
        patch=patch,
        # With batches of 2 it fell silent and stayed so.
        batch=8,
        growth=(Stage(0.7, small, 8),),
        peak_rate=5e-4,
        # Nothing seems to happen at first, and what was averaged then would stay for long.
        average_decay=0.99,
    )


def _stfan(name: str, network: STFANConfig, peak_rate: float, joint: bool) -> Recipe:
    return Recipe(
        name,
        network,
        "blur",
        scale=1,
        frames=4,
        patch=64,
        batch=2,
        # The smears of the third stage are seen from far away; the last stage is dear.
        growth=() if joint else (Stage(0.3, 64, 2), Stage(0.8, 96, 2)),
        # Adam learnt to see smears several times slower, and hardly to use them.
        optimizer="muon",
        peak_rate=peak_rate,
        taught_rate=2.5,
        joint=joint,
        moved_share=1.0,
    )


def _real(base: Recipe) -> Recipe:
    """For compressed video; begun at the weights of `base`."""
    return replace(
        base,
        name=f"{base.name}-real",
        degradation="real",
        batch=2,
        growth=(Stage(0.6, 16, 4),),
        peak_rate=min(5e-4, base.peak_rate),
        moved_share=0.7,
        slow_share=0.7,
    )


# Batch norms want larger batches.
_TGA_LITE = Recipe("tga-lite", TGA_LITE, batch=8)
_TGA = _widened(Recipe("tga", TGAConfig(), patch=24, growth=(Stage(0.8, 16, 4),), moved_share=0.7))
"""Begun at tga-lite."""
_FSTRN = Recipe("fstrn", FSTRNConfig())
_STDAN_LITE = Recipe(
    "stdan-lite",
    STDAN_LITE,
    patch=24,
    batch=1,
    growth=(Stage(0.3, 16, 4), Stage(0.55, 24, 2), Stage(0.85, 16, 1)),
    peak_rate=3e-4,
    first_share=0.55,
    moved_share=0.6,
    slow_share=0.7,
)
"""Single frames at first, then clips."""
_STDAN = _widened(
    Recipe(
        "stdan",
        STDANConfig(),
        patch=24,
        batch=1,
        growth=(Stage(0.75, 16, 1),),
        moved_share=0.6,
        first_share=_STDAN_LITE.first_share,
        joint=True,
    )
)
"""Begun at stdan-lite."""


RECIPES = {
    recipe.name: recipe
    for recipe in (
        _TGA_LITE,
        _TGA,
        _FSTRN,
        _spmc(2, 40, 24),
        _spmc(3, 32, 16),
        _spmc(4, 32, 16),
        _STDAN_LITE,
        _STDAN,
        _stfan("stfan-lite", STFAN_LITE, peak_rate=4e-4, joint=False),
        # Begun at stfan-lite.
        _stfan("stfan", STFANConfig(), peak_rate=2e-5, joint=True),
        _real(_TGA_LITE),
        _real(_TGA),
        _real(_FSTRN),
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`; raises UsageError with the good names."""
    recipe = RECIPES.get(name)
    if recipe is None:
        raise UsageError(f"No recipe for {name!r}; choose one of {', '.join(RECIPES)}")
    return recipe
