"""What a training leaves behind: its state to go on from, and the weights to ship."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vsrcli.errors import InputError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.training.recipes import Recipe, find_recipe
from vsrcli.zoo.weights import save_weights

CHECKPOINT = "checkpoint.pt"


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
    return Recipe(**{**state["recipe"], "network": config(**state["recipe"]["network"])})


def choose_recipe(name: str, run: Path, **changes: float | None) -> Recipe:
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
    """The averaged network of a checkpoint, in evaluation mode, and its `recipe`, `step` and
    `seconds`.

    Raises InputError if there is no such file.
    """
    state = load_checkpoint(path)
    recipe = recipe_of(state)
    network = ARCHITECTURES[recipe.architecture].build(recipe.network)
    network.load_state_dict(state["average"])
    return network.eval(), {"recipe": recipe, "step": state["step"], "seconds": state["seconds"]}


def export(run: Path, target: Path) -> None:
    """Write the averaged network of the training in folder `run` as a weights file."""
    network, facts = load_average(run / CHECKPOINT)
    recipe: Recipe = facts["recipe"]
    save_weights(
        target,
        network,
        {
            "recipe": recipe.name,
            "scale": str(recipe.scale),
            "degradation": recipe.degradation,
            "training": f"{facts['step']} steps of {recipe.batch} patches of {recipe.frames} "
            f"frames of {recipe.patch}x{recipe.patch}, {facts['seconds'] / 60:.0f} minutes",
        },
    )
