"""Runs vsr on a hard file and tells what is wrong with the result."""

from __future__ import annotations

from pathlib import Path

from case import FAST, Case, Refused
from checking import faults, source_view

import vsrcli
from vsrcli.errors import VsrError
from vsrcli.jobs.report import Report


def run(case: Case, folder: Path) -> list[str]:
    """Make the file of a case in an empty folder, enlarge it, and say what is wrong."""
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    source = case.make(folder / "in")
    expected = case.expected
    target = folder / "out" / case.target
    before = source.read_bytes()
    said = enlarge(case, source, target)
    found = [] if source.read_bytes() == before else ["the input has changed"]
    if isinstance(expected, Refused):
        return found + refusal_faults(expected, said, target)
    if isinstance(said, VsrError):
        return [*found, f"refused: {said}"]
    target = target.with_name(expected.name or target.name)
    found += faults(case, source, source_view(source, expected), target, said)
    if expected.lost:
        strict = enlarge(case, source, folder / "out" / f"strict-{case.target}", strict=True)
        if not isinstance(strict, VsrError) or "--strict" not in str(strict):
            found.append(f"--strict did not refuse the loss: {strict}")
    left = {path.name for path in target.parent.iterdir()}
    if left != {target.name}:
        found.append(f"left behind: {sorted(left)}")
    return found


def enlarge(case: Case, source: Path, target: Path, **more: object) -> Report | VsrError:
    """The report of the job, or the error it ended with."""
    options = {"model": "lanczos", "encode": FAST, "device": "cpu", "scale": 2}
    try:
        return vsrcli.upscale(source, target, **{**options, **case.options, **more})
    except VsrError as error:
        return error


def refusal_faults(expected: Refused, said: object, target: Path) -> list[str]:
    """What is wrong with a refusal."""
    if not isinstance(said, VsrError):
        return ["not refused"]
    found = []
    if expected.said not in str(said) or "\n" in str(said):
        found.append(f"said {str(said)!r}, not {expected.said!r}")
    if target.exists() or list(target.parent.iterdir()):
        found.append("an output was left")
    return found
