"""`vsr export MODEL OUT.onnx`."""

from __future__ import annotations

import hashlib
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from vsrcli.cli.job import Quiet, Weights, option
from vsrcli.cli.options import Debug
from vsrcli.cli.weights_fetch import fetch_at_first_use
from vsrcli.errors import UsageError


def _parse_size(text: str) -> tuple[int, int] | Literal["dynamic"]:
    """(height, width) out of `180x320`, or `dynamic`."""
    if text == "dynamic":
        return "dynamic"
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise UsageError(f"--size {text}: write dynamic or HEIGHTxWIDTH, such as 180x320")
    return int(match[1]), int(match[2])


def export(
    model: Annotated[str, typer.Argument(help="A name of `vsr models`, or a weights file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="The file to write.")],
    weights: Weights = None,
    scale: Annotated[int | None, option("Model", "Of models that come in several.", min=1)] = None,
    size: Annotated[
        Any,
        option("Model", "Of the pictures it takes.", parser=_parse_size, metavar="HxW|dynamic"),
    ] = "dynamic",
    precision: Annotated[Literal["fp32", "fp16"], option("Model", "To compute in.")] = "fp32",
    overwrite: Annotated[
        bool, option("Output", "Replace an output that exists.", "--overwrite")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a model as an ONNX file, for vsr and for other programs, and check what it does."""
    from vsrcli.media.output import AtomicOutput
    from vsrcli.onnx.export import export_network
    from vsrcli.onnx.tracing import OPSET
    from vsrcli.zoo.catalogue import BASELINES, network_of
    from vsrcli.zoo.weights import find_weights, load_weights

    if model in BASELINES:
        raise UsageError(f"{model} is plain resampling: there is no network in it")
    fetch_at_first_use(model, weights)
    file = find_weights(model, weights, None if scale is None else Fraction(scale))
    with AtomicOutput(target, overwrite=overwrite, inputs=[file]) as path:
        network = load_weights(file, None if weights is None else network_of(model))
        made = export_network(
            network,
            weights=hashlib.sha256(file.read_bytes()).hexdigest(),
            precision=precision,
            size=None if size == "dynamic" else size,
        )
        path.write_bytes(made.content)
    print(target)
    if not quiet:
        print(
            f"ONNX opset {OPSET}, {precision}, off by {made.error:.2g} at most from torch in fp32; "
            f"use it with --model {target}",
            file=sys.stderr,
        )
