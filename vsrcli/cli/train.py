"""`vsr train`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from vsrcli.cli.interrupted import Interrupted
from vsrcli.cli.job import option
from vsrcli.cli.options import Debug
from vsrcli.errors import UsageError

if TYPE_CHECKING:
    from vsrcli.training.recipes import Stage

Name = TypeVar("Name", bound=str)

_RECIPE = "Recipe (kept by resumed runs)"


def train(
    model: Annotated[
        str | None,
        typer.Argument(help="What to train: tga-lite, fstrn, spmc-x2 ...", show_default=False),
    ] = None,
    prepare: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Fetch the training footage into FOLDER and stop."),
    ] = None,
    keep_out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="For --prepare: stop if the footage has any of these clips, or of a folder of "
            "them; repeatable.",
        ),
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
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="STDAN: weights of a TGA, whose pictures of single frames are learnt from too.",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time to train in all, resumed runs included.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps in all, instead of a time.")] = None,
    patch: Annotated[int | None, option(_RECIPE, "Side of the network's input.")] = None,
    batch: Annotated[int | None, option(_RECIPE, "Samples a step.")] = None,
    grow: Annotated[
        list[str] | None,
        option(
            _RECIPE,
            "Until SHARE of the time this patch and batch instead, such as 0.4:24:64; repeatable.",
            metavar="SHARE:PATCH:BATCH",
        ),
    ] = None,
    optimizer: Annotated[str | None, option(_RECIPE, "Of the kernels: adam or muon.")] = None,
    rate: Annotated[float | None, option(_RECIPE, "Highest learning rate.")] = None,
    moved_share: Annotated[
        float | None,
        option(_RECIPE, "Share of moved photographs; the rest is film.", min=0, max=1),
    ] = None,
    slow_share: Annotated[
        float | None,
        option(_RECIPE, "Share of the photographs that move slowly.", min=0, max=1),
    ] = None,
    first_share: Annotated[
        float | None,
        option(
            _RECIPE,
            "SPMC, STFAN: share of the time for the motion alone, at first; STDAN: for single "
            "frames.",
            min=0,
            max=1,
        ),
    ] = None,
    joint: Annotated[
        bool | None,
        option(
            _RECIPE,
            "SPMC, STDAN, STFAN: all parts together from the start, or in stages; for --start.",
        ),
    ] = None,
    loss: Annotated[str | None, option(_RECIPE, "charbonnier, l1, mse or huber.")] = None,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A clip to score on while training; repeatable. For deblurring x_blur.*, "
            "with x_sharp.* beside it.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    compiled: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Whether torch compiles the network first; by default on CUDA, if there is time.",
            show_default=False,
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the weights of --out's checkpoint and stop."),
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw --out's log, a PNG or SVG picture, and stop."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Train a model, or continue training it."""

    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if prepare is not None:
        from vsrcli.training.data.prepare import prepare as fetch

        fetch(prepare, report, keep_out or [])
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
    elif curve is not None:
        from vsrcli.quality.plot import check_plot
        from vsrcli.training.curve import draw

        check_plot(curve, "--curve")
        draw(out, curve)
    elif model is None or data is None or (minutes is None) == (steps is None):
        raise UsageError("vsr train needs a model, --data, and one of --minutes and --steps")
    else:
        from vsrcli.quality.clips import read_clips, read_pairs
        from vsrcli.restore.device import find_device
        from vsrcli.training.checkpoint import choose_recipe
        from vsrcli.training.data import pack as packed
        from vsrcli.training.data import shard
        from vsrcli.training.loop import Budget
        from vsrcli.training.loop import train as run
        from vsrcli.training.losses import LOSSES
        from vsrcli.training.recipes import OPTIMIZERS
        from vsrcli.zoo.weights import load_weights

        growth = tuple(_stage(text) for text in grow) if grow else None
        recipe = choose_recipe(
            model,
            out,
            patch=patch,
            batch=batch,
            growth=growth,
            optimizer=_one_of("optimizer", optimizer, OPTIMIZERS),
            peak_rate=rate,
            moved_share=moved_share,
            slow_share=slow_share,
            first_share=first_share,
            joint=joint,
            loss=_one_of("loss", loss, LOSSES),
        )
        files = validation or []
        deblurs = recipe.degradation == "blur"
        clips = read_pairs(files) if deblurs else read_clips(files, recipe.scale)
        budget = Budget(minutes=minutes, steps=steps)
        where = find_device(device)
        footage = packed.load(data) if data.is_file() else shard.load(data)
        try:
            run(
                recipe,
                footage,
                out,
                budget,
                clips=clips,
                device=where,
                start=None if start is None else load_weights(start),
                start_name="" if start is None else start.stem,
                teacher=None if teacher is None else load_weights(teacher),
                teacher_name="" if teacher is None else teacher.stem,
                compiled=compiled,
                report=report,
            )
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; the same command goes on from the checkpoint in {out}"
            ) from None


def _stage(text: str) -> Stage:
    """The stage of a training out of `0.4:24:64`."""
    from vsrcli.training.recipes import Stage

    match = re.fullmatch(r"(\d*\.?\d+):(\d+):(\d+)", text)
    if not match:
        raise UsageError(f"{text!r} is not SHARE:PATCH:BATCH, such as 0.4:24:64")
    return Stage(float(match[1]), int(match[2]), int(match[3]))


def _one_of(kind: str, name: str | None, known: tuple[Name, ...]) -> Name | None:
    if name is None:
        return None
    for good in known:
        if good == name:
            return good
    raise UsageError(f"Unknown {kind} {name!r}; choose one of {', '.join(known)}")
