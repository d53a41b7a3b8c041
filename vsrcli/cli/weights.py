"""`vsr weights list|verify|import|fetch`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vsrcli.cli.options import Debug, Json
from vsrcli.cli.weights_fetch import fetch

app = typer.Typer(help="List, verify, import and fetch weights.", no_args_is_help=True)
app.command("fetch")(fetch)


@app.command("list")
def list_weights(as_json: Json = False, debug: Debug = False) -> None:
    """List the models whose weights are shipped, were fetched or can be fetched."""
    from vsrcli.zoo.cache import cached_weights
    from vsrcli.zoo.catalogue import catalogue
    from vsrcli.zoo.published import PUBLISHED

    rows = {name: {**asdict(entry), "state": "shipped"} for name, entry in catalogue().items()}
    cached = cached_weights()
    for checkpoint in PUBLISHED.values():
        rows[checkpoint.model] = {
            "name": checkpoint.model,
            "network": checkpoint.network,
            "scale": checkpoint.scale,
            **checkpoint.description,
            "state": "fetched" if checkpoint.model in cached else "online",
        }
    if as_json:
        print(json.dumps(rows))
        return
    for name, row in rows.items():
        what = f"x{row['scale']}  {row['degradation']}; {row['licence']}"
        print(f"{name:20}  {row['state']:7}  {what}")


@app.command()
def verify(debug: Debug = False) -> None:
    """Check every weights file, shipped or fetched: its hash if shipped, and that its network
    takes it."""
    from vsrcli.zoo.cache import cached_weights
    from vsrcli.zoo.catalogue import catalogue
    from vsrcli.zoo.weights import load_entry, load_weights

    for entry in catalogue().values():
        load_entry(entry)
        print(f"{entry.name}: {entry.file} is whole")
    for name, path in cached_weights().items():
        load_weights(path)
        print(f"{name}: {path} fits its network")


@app.command("import")
def import_weights(
    network: Annotated[
        str, typer.Argument(help="Whose checkpoint it is: tga, basicvsr, stfan or stdan.")
    ],
    file: Annotated[Path, typer.Argument(help="The authors' .pth, .zip or .safetensors.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write; FILE.safetensors without it."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an output that exists.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Turn an official checkpoint into a weights file of vsr."""
    from vsrcli.media.output import AtomicOutput
    from vsrcli.zoo.official import import_checkpoint
    from vsrcli.zoo.weights import save_weights

    target = output or file.with_suffix(".safetensors")
    with AtomicOutput(target, overwrite=overwrite, inputs=[file]) as path:
        imported = import_checkpoint(network, file)
        save_weights(path, imported, {"source": f"imported from {file.name}"})
    print(target)
    print(f"Use it with --weights {target}", file=sys.stderr)
