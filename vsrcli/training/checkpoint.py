"""What a training leaves behind: its state to go on from, and the weights to ship."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vsrcli.errors import InputError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.training.recipes import DEGRADATIONS, Recipe, Stage, find_recipe
from vsrcli.zoo.weights import save_weights

CHECKPOINT = "checkpoint.pt"
_LICENCE = "MIT"
"""Of all that is trained by these recipes; `data.sources` has nothing that forbids it."""


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a training's state so that `path` is always whole."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU; raises InputError if there is no such file."""
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; train first, with vsr train")
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def recipe_of(state: dict[str, Any]) -> Recipe:
    """The recipe of a checkpoint."""
    # The first checkpoints, all of TGA, do not say what they are of.
    config = ARCHITECTURES[state.get("architecture", "tga")].config
    fields = state["recipe"]
    growth = tuple(Stage(**stage) for stage in fields.get("growth", ()))
    return Recipe(**{**fields, "network": config(**fields["network"]), "growth": growth})


def choose_recipe(name: str, run: Path, **changes: object) -> Recipe:
    """The recipe of the training in folder `run`, if there is one, else the recipe called `name`;
    with those of its fields changed that are not None.

    Raises UsageError if there is no such recipe, InputError if the folder holds another one.
    """
    recipe = find_recipe(name)
    path = run / CHECKPOINT
    if path.is_file():
        recipe = recipe_of(load_checkpoint(path))
        if recipe.name != name:
            raise InputError(f"{run} holds a training of {recipe.name}; choose another folder")
    given: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    return replace(recipe, **given)


def load_average(path: Path) -> tuple[Network, dict[str, Any]]:
    """The averaged network of a checkpoint, in evaluation mode, and the rest of its state.

    Raises InputError if there is no such file.
    """
    state = load_checkpoint(path)
    recipe = recipe_of(state)
    network = ARCHITECTURES[recipe.architecture].build(recipe.network)
    network.load_state_dict(state["average"])
    return network.eval(), {**state, "recipe": recipe}


def export(run: Path, target: Path) -> None:
    """Write the averaged network of the training in folder `run` as a weights file, which says
    what it was trained for and how long."""
    network, state = load_average(run / CHECKPOINT)
    recipe: Recipe = state["recipe"]
    description = {
        "recipe": recipe.name,
        "scale": str(recipe.scale),
        "degradation": DEGRADATIONS[recipe.degradation],
        "training": _history(recipe, state),
        "licence": _LICENCE,
    }
    save_weights(target, network, description)


def _history(recipe: Recipe, state: dict[str, Any]) -> str:
    """How a network was trained, in words."""
    parts = [f"begun at {state['begun_at']}"] if state.get("begun_at") else []
    parts += [f"taught by {state['taught_by']}"] if state.get("taught_by") else []
    samples = f"{recipe.batch} samples of {recipe.frames} frames of {recipe.patch}x{recipe.patch}"
    growing = ", smaller ones at first" if recipe.growth else ""
    loss = "" if recipe.loss == "charbonnier" else f", {recipe.loss} loss"
    parts.append(f"{state['step']:,} steps of {samples}{growing}{loss}")
    # Checkpoints of the first versions do not say where they were trained.
    places = state.get("seconds_on") or {"cpu": state["seconds"]}
    parts += [f"{seconds / 60:.0f} min on {device}" for device, seconds in places.items()]
    return ", ".join(parts)
