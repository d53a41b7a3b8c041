"""`vsr train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vsrcli.cli.options import Debug
from vsrcli.errors import UsageError, VsrError


class TrainingInterrupted(VsrError):
    """A training that was stopped and can be gone on with."""

    exit_code = 130


def train(
    model: Annotated[
        str | None,
        typer.Argument(help="What to train: tga-lite, fstrn, spmc-x2 ...", show_default=False),
    ] = None,
    prepare: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Fetch the training footage into FOLDER and stop."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Footage: made by --prepare, or a pack of it."),
    ] = None,
    pack: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a small copy of --data's footage and stop."),
    ] = None,
    size_limit: Annotated[float, typer.Option(metavar="MIB", help="For --pack.")] = 55,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Checkpoint and log; a checkpoint there is resumed."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Weights to begin at: the same network, or a smaller one of it."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time to train in all, resumed runs included.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps in all, instead of a time.")] = None,
    patch: Annotated[
        int | None, typer.Option(help="Side of the network's input; kept by resumed runs.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Samples a step; kept by resumed runs.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Highest learning rate; kept by resumed runs.")
    ] = None,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A clip to score on while training; repeatable. For deblurring x_blur.*, "
            "with x_sharp.* beside it.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the weights of --out's checkpoint and stop."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Train a model, or continue training it."""

    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if prepare is not None:
        from vsrcli.training.data.prepare import prepare as fetch

        fetch(prepare, report)
    elif pack is not None:
        if data is None:
            raise UsageError("vsr train --pack needs --data, the footage to pack")
        from vsrcli.training.data.pack import write

        write(data, pack, round(size_limit * 2**20), report)
    elif out is None:
        raise UsageError("vsr train needs --out FOLDER, or --prepare FOLDER to fetch footage")
    elif export is not None:
        from vsrcli.training.checkpoint import export as write_weights

        write_weights(out, export)
    elif model is None or data is None or (minutes is None) == (steps is None):
        raise UsageError("vsr train needs a model, --data, and one of --minutes and --steps")
    else:
        from vsrcli.quality.evaluation import read_clips, read_pairs
        from vsrcli.restore.device import find_device
        from vsrcli.training.checkpoint import choose_recipe
        from vsrcli.training.data import pack as packed
        from vsrcli.training.data import shard
        from vsrcli.training.loop import Budget
        from vsrcli.training.loop import train as run
        from vsrcli.zoo.weights import load_weights

        recipe = choose_recipe(model, out, patch=patch, batch=batch, peak_rate=rate)
        files = validation or []
        deblurs = recipe.degradation == "blur"
        clips = read_pairs(files) if deblurs else read_clips(files, recipe.scale)
        budget = Budget(minutes=minutes, steps=steps)
        where = find_device(device)
        footage = packed.load(data) if data.is_file() else shard.load(data)
        begin = None if start is None else load_weights(start)
        try:
            run(recipe, footage, out, budget, clips=clips, device=where, start=begin, report=report)
        except KeyboardInterrupt:
            raise TrainingInterrupted(
                f"Interrupted; the same command goes on from the checkpoint in {out}"
            ) from None
