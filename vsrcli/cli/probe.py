"""`vsr probe FILE`."""

from __future__ import annotations

from typing import Annotated

import typer

from vsrcli.cli.options import AllowProtocol, Debug, Json
from vsrcli.cli.printing import printable


def probe(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A media file, or a folder or pattern of images.")
    ],
    allow_protocol: AllowProtocol = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print what a media file holds, and what is assumed where it does not say."""
    from vsrcli.media.describe import describe, to_json
    from vsrcli.media.images import probe_source

    info = probe_source(file, allow_protocols=tuple(allow_protocol or ()))
    print(to_json(info) if as_json else printable(describe(info)))
