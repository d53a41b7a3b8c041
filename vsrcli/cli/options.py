"""Options that several verbs share, and the values they take."""

from __future__ import annotations

import re
import threading
from fractions import Fraction
from typing import Annotated, Literal

import typer

from vsrcli.errors import UsageError

DEBUG = threading.Event()
"""Set by --debug: failures show their traceback."""


def _set_debug(wanted: bool) -> None:
    if wanted:
        DEBUG.set()


Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        callback=_set_debug,
        is_eager=True,
        help="Show the traceback of a failure.",
        rich_help_panel="Advanced",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
AllowProtocol = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Let the input use this protocol (http, https ...) or playlist format (hls, concat).",
        rich_help_panel="Advanced",
    ),
]


def parse_time(text: str) -> Fraction:
    """Seconds out of `90`, `90.5`, `1:30` or `0:01:30.5`."""
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise UsageError(f"{text!r} is not a time; write seconds or HH:MM:SS.mmm")
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = seconds * 60 + Fraction(part)
    return seconds


def parse_ratio(text: str) -> Fraction:
    """A number such as `2`, `2.5` or `30000/1001`."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{text!r} is not a number such as 2 or 2.5") from None


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) out of `1920x1080`."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise UsageError(f"{text!r} is not a size; write WIDTHxHEIGHT, such as 1920x1080")
    return int(match[1]), int(match[2])


def parse_tile(text: str) -> int | Literal["auto", "off"]:
    """`auto`, `off` or a number of pixels."""
    if text == "auto" or text == "off":
        return text  # type: ignore[return-value]
    if not text.isdecimal():
        raise UsageError(f"{text!r} is neither a number of pixels nor auto nor off")
    return int(text)


def parse_encoder_option(text: str) -> tuple[str, str]:
    """(key, value) out of `key=value`."""
    key, found, value = text.partition("=")
    if not key or not found:
        raise UsageError(f"{text!r} is not KEY=VALUE")
    return key, value
