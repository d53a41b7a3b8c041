"""`vsr models [NAME]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from vsrcli.cli.options import Debug, Json
from vsrcli.cli.tables import new_table, table_console
from vsrcli.errors import WeightsError

if TYPE_CHECKING:
    from vsrcli.networks.spec import Spec
    from vsrcli.zoo.models import Model


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Tell all of this one.", show_default=False)
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the models: what they do, what they cost, and what weights of them are there."""
    from vsrcli.zoo.models import find_model

    if name is None:
        found = list(_readable())
        if as_json:
            print(json.dumps({model.name: model.as_json() for model in found}))
        else:
            _print_table(found)
        return
    model = find_model(name)
    if as_json:
        print(json.dumps({"name": model.name, **model.as_json(), "advice": model.advice}))
        return
    print(model.name)
    for label, text in _all_of(model):
        print(f"  {label:11} {text}")


def _readable() -> Iterator[Model]:
    """The models whose weights file can be read, if they have one; says which cannot."""
    from vsrcli.zoo.models import find_model, listed_names

    for name in listed_names():
        try:
            yield find_model(name)
        except WeightsError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)


def _print_table(found: Sequence[Model]) -> None:
    from vsrcli.zoo.models import PICTURE

    table = new_table()
    table.add_column("model", no_wrap=True)
    # So wide that no word is broken, and that all of it finds room in 80 columns.
    table.add_column("task", overflow="fold", min_width=10)
    table.add_column("frames", overflow="fold", min_width=9)
    for column in ("params", "GFLOP"):
        table.add_column(column, no_wrap=True, justify="right")
    table.add_column("weights", no_wrap=True)
    table.add_column("gain", no_wrap=True, justify="right")
    table.add_column("licence", overflow="fold", min_width=10)
    for model in found:
        table.add_row(
            model.name,
            _task(model.spec),
            _frames(model.spec),
            f"{model.parameters / 1e6:.2f} M" if model.parameters else "",
            _gflop(model),
            "" if model.weights == "not needed" else model.weights,
            "" if model.gain is None else f"{model.gain:+.2f}",
            model.header.get("licence", ""),
        )
    console = table_console()
    console.print(table)
    # Too long for a column, and the same for several models.
    made_for: dict[str, list[str]] = {}
    for model in found:
        if degradation := model.header.get("degradation"):
            made_for.setdefault(degradation, []).append(model.name)
    for degradation, names in made_for.items():
        console.print(f"Degradation ({', '.join(names)}): {degradation}.")
    console.print(
        "GFLOP: 10^9 operations for an output frame, input of {}x{}. Gain: PSNR in dB over "
        "that of bicubic enlargement, on the input that the model's card names; when deblurring, "
        "of the input.".format(*PICTURE)
    )


def _all_of(model: Model) -> Iterator[tuple[str, str]]:
    """Labels and what stands behind them."""
    from vsrcli.zoo.models import PICTURE

    spec = model.spec
    yield "task", _task(spec)
    yield "frames", _frames(spec)
    for use in _defaults(model.name):
        yield "default", use
    if model.entry is not None and model.entry.model:
        yield "as", f"{model.entry.model}, which takes the weights that suit the scale"
    if spec.paper:
        yield "paper", spec.paper
    if model.parameters:
        yield "parameters", f"{model.parameters:,}"
    if model.flop is not None:
        yield "work", "{} GFLOP an output frame, input of {}x{}".format(_gflop(model), *PICTURE)
    yield "size", f"padded to a multiple of {spec.multiple}" if spec.multiple > 1 else "any"
    yield "reach", f"{spec.reach} pixels on each side; tiles take {spec.halo}"
    yield "weights", model.weights
    if model.path is not None:
        found = model.file_hash()
        yield "file", f"{model.path}, {model.path.stat().st_size:,} bytes"
        yield "SHA-256", f"{found}"
        if model.entry is not None and model.entry.sha256 != found:
            yield "", f"not {model.entry.sha256} as in the catalogue: reinstall vsrcli"
    for label, text in sorted(model.header.items()):
        yield label, text
    for score in model.scores:
        own, plain = f"{score.psnr:.2f} dB", f"{score.plain_psnr:.2f} dB"
        yield (
            "quality",
            f"{score.name}: {own}, SSIM {score.ssim:.4f}; "
            f"{_baseline(spec)}: {plain}, SSIM {score.plain_ssim:.4f}",
        )
    if model.gain is not None:
        yield "gain", f"{model.gain:+.2f} dB over {_baseline(spec)} in the mean"
    for text in model.advice:
        yield "note", text


def _defaults(name: str) -> list[str]:
    """What runs this model when none is named."""
    from vsrcli.zoo.catalogue import default_deblurring_model, default_model

    uses = {
        "enlarging compressed video": default_model(compressed=True),
        "enlarging other video": default_model(compressed=False),
        "deblurring": default_deblurring_model(),
    }
    return [f"for {use}" for use, default in uses.items() if default == name]


def _baseline(spec: Spec) -> str:
    return "the input" if spec.task == "deblur" else "bicubic"


def _gflop(model: Model) -> str:
    return "" if model.flop is None else f"{model.flop / 1e9:,.0f}"


def _task(spec: Spec) -> str:
    scales = ", ".join(f"x{scale}" for scale in spec.scales) or "xN"
    return spec.task if spec.task == "deblur" else f"{spec.task} {scales}"


def _frames(spec: Spec) -> str:
    """The strategy in words."""
    from vsrcli.networks.spec import Bidirectional, Chunk, Groups, Recurrent, Window

    match spec.strategy:
        case Window(radius):
            return f"window of {2 * radius + 1}" if radius else "one by one"
        case Chunk():
            return "whole scene"
        case Groups(size):
            return f"groups of {size}, twice the frames"
        case Recurrent():
            return "recurrent"
        case Bidirectional(ahead=ahead):
            return f"both ways with {ahead} ahead"
