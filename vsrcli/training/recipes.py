"""How each shipped network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from vsrcli.errors import UsageError
from vsrcli.networks.tga import LITE, PUBLISHED, TGAConfig
from vsrcli.training.degradation import Degradation


@dataclass(frozen=True)
class Recipe:
    """One training, apart from how long it may take."""

    name: str
    network: TGAConfig
    degradation: Degradation = "bi"
    scale: int = 4
    patch: int = 32
    """Low-resolution patch size."""
    batch: int = 8
    peak_rate: float = 1e-3
    """Adam's learning rate after the warm-up; a cosine takes it to nearly zero at the end."""
    warmup: float = 0.03
    """Share of the budget over which the rate rises."""
    moved_share: float = 0.5
    """Share of moved photographs in a batch; the rest is film."""
    average_decay: float = 0.998
    """Per step, of the moving average of the weights that is kept in the end."""
    clip_norm: float = 1.0
    charbonnier: float = 1e-3


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("tga-lite", LITE),
        # Begun at tga-lite: on a CPU there is time for a finishing course only.
        Recipe("tga", PUBLISHED, patch=24, peak_rate=3e-4, average_decay=0.99),
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`; raises UsageError with the good names."""
    recipe = RECIPES.get(name)
    if recipe is None:
        raise UsageError(f"No recipe for {name!r}; choose one of {', '.join(RECIPES)}")
    return recipe
