"""The command `vsr`: its verbs, and how every failure ends."""

from __future__ import annotations

import sys
from typing import Annotated, Any, NoReturn

import typer

import vsrcli
from vsrcli.cli import bench, deblur, export, models, probe, train, upscale, weights
from vsrcli.cli.allocation import keep_freed_memory
from vsrcli.cli.eval import evaluate
from vsrcli.cli.interrupted import INTERRUPTED, handle_signals
from vsrcli.cli.options import DEBUG
from vsrcli.cli.printing import printable
from vsrcli.cli.standard_streams import replace_closed, watched
from vsrcli.errors import VsrError

app = typer.Typer(
    name="vsr",
    help="Enlarge and restore real video with published video networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("upscale")(upscale.upscale)
app.command("deblur")(deblur.deblur)
app.command("eval")(evaluate)
app.command("bench")(bench.bench)
app.command("export")(export.export)
app.command("models")(models.models)
app.command("probe")(probe.probe)
app.command("train")(train.train)
app.add_typer(weights.app, name="weights")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"vsr {vsrcli.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Enlarge and restore real video with published video networks."""


def run() -> NoReturn:
    """Run the command line; every failure is one line on stderr and an exit code."""
    keep_freed_memory()
    handle_signals()
    replace_closed()
    with watched():
        _run()


def _run() -> NoReturn:
    try:
        # Not standalone, where Typer draws a box around its errors.
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # Typer turns an interrupt into this exit code without a word
            raise KeyboardInterrupt
        sys.stdout.flush()
    except VsrError as error:
        _fail(error, str(error), error.exit_code)
    except KeyboardInterrupt as error:
        _fail(error, "Interrupted; nothing was written", INTERRUPTED)
    except BrokenPipeError:
        sys.exit(1)  # whoever read our output has left: there is nobody to tell
    except Exception as error:
        if hasattr(error, "format_message"):  # Typer's own: its class moves between versions
            _refuse(error)
        reason = " ".join(str(error).split()) or "no reason given"
        message = f"{type(error).__name__}: {reason} (a fault of vsr; --debug shows where)"
        _fail(error, message, 1)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(error: Any) -> NoReturn:
    """End with what Typer says of the words that it was given."""
    message = " ".join(error.format_message().split()).rstrip(".")
    if message:  # else there were no words at all, and the help was shown
        context = getattr(error, "ctx", None)
        command = "vsr" if context is None else context.command_path
        print(f"vsr: {message}; see `{command} --help`", file=sys.stderr)
    sys.exit(error.exit_code)


def _fail(error: BaseException, message: str, code: int) -> NoReturn:
    if DEBUG.is_set():
        raise error
    # File names may hold line breaks.
    print("vsr:", printable(" ".join(message.splitlines())), file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    run()
