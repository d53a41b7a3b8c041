"""A small copy of the training set, for machines that the whole set is slow to reach.

A zip file: `CREDITS.md`; each film clip as a video of its own (`film/0000.mkv`) and each still as
a video of one frame (`stills/00.mkv`), in H.264 with full chroma, visually lossless; each page of
text as a PNG (`text/00.png`), lossless. Anything that plays video shows them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import torch
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb
from vsrcli.training.data import shard
from vsrcli.training.data.shard import TrainingSet

_CREDITS = "CREDITS.md"
_QUALITY = 9
"""x264's rate factor; see the test for what it leaves of the pictures."""
_RESERVE = 4096
"""Bytes kept free for the end of the zip file, beside the list of its members."""
_LISTED = 160
"""Bytes that a member takes beside its contents, at most."""


def write(
    folder: Path, file: Path, limit: int, report: Callable[[str], None] = lambda line: None
) -> None:
    """Pack the set in `folder`: all stills and text, and as many film clips as fit into `limit`
    bytes, picked evenly.

    Raises InputError if there is no whole set, or if not even the stills and the text fit.
    """
    data = shard.load(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    free, packed = limit - _RESERVE, 0
    with zipfile.ZipFile(partial, "w") as archive:
        for name, contents in _members(folder, data):
            free -= len(contents) + _LISTED
            if free < 0:
                break
            # A fixed date, so that equal sets give equal files.
            archive.writestr(zipfile.ZipInfo(name), contents)
            packed += 1
    clips = packed - 1 - len(data.stills) - len(data.text)
    if clips < 0:
        partial.unlink()
        raise InputError(
            f"{file}: {limit / 2**20:.0f} MiB do not hold the stills and the text; allow more"
        )
    partial.replace(file)
    report(
        f"{file}: {clips} of {len(data.film)} film clips, {len(data.stills)} stills, "
        f"{len(data.text)} pages of text"
    )


def _members(folder: Path, data: TrainingSet) -> Iterator[tuple[str, bytes]]:
    """Names and contents; the film clips last, in an order that may stop anywhere."""
    yield _CREDITS, (folder / _CREDITS).read_bytes()
    for index, still in enumerate(data.stills):
        yield f"stills/{index:02}.mkv", encode(still[None])
    for index, page in enumerate(data.text):
        yield f"text/{index:02}.png", encode_page(page)
    for index in _spread(len(data.film)):
        yield f"film/{index:04}.mkv", encode(data.film[index])


def load(file: Path) -> TrainingSet:
    """The set that `write` packed, decoded into memory; raises InputError if it is none."""
    try:
        with zipfile.ZipFile(file) as archive, ThreadPoolExecutor() as pool:
            names = sorted(set(archive.namelist()) - {_CREDITS})
            members = [(name, archive.read(name)) for name in names]
            decoded = dict(zip(names, pool.map(_decoded, members), strict=True))
    except (OSError, zipfile.BadZipFile, av.FFmpegError) as error:
        raise InputError(f"{file}: is no pack of training footage ({error})") from error
    film = [frames for name, frames in decoded.items() if name.startswith("film/")]
    stills, text = (
        tuple(picture for name, picture in decoded.items() if name.startswith(kind))
        for kind in ("stills/", "text/")
    )
    return TrainingSet(
        torch.stack(film) if film else torch.empty(0, dtype=torch.uint8), stills, text
    )


def _decoded(member: tuple[str, bytes]) -> Tensor:
    name, contents = member
    if name.startswith("text/"):
        return decode_page(contents)
    frames = decode(contents)
    return frames if name.startswith("film/") else frames[0]


def encode(frames: Tensor) -> bytes:
    """(T, 3, H, W) uint8 RGB -> a Matroska file. Equal pictures give equal bytes."""
    coded = (rgb_to_ycbcr(frames / 255) * 255).round().to(torch.uint8).numpy()
    target = io.BytesIO()
    with av.open(target, "w", format="matroska", container_options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream("libx264", rate=25)
        stream.height, stream.width = frames.shape[-2:]
        stream.pix_fmt = "yuv444p"
        # What more threads make depends on how many they are.
        stream.options = {"crf": str(_QUALITY), "preset": "slow", "threads": "1"}
        for planes in coded:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv444p")))
        file.mux(stream.encode(None))
    return target.getvalue()


def decode(video: bytes) -> Tensor:
    """What `encode` packed."""
    with av.open(io.BytesIO(video), "r") as file:
        coded = [torch.from_numpy(frame.to_ndarray()) for frame in file.decode(video=0)]
    return (ycbcr_to_rgb(torch.stack(coded) / 255) * 255).round().clamp(0, 255).to(torch.uint8)


def encode_page(page: Tensor) -> bytes:
    """(1, H, W) uint8 -> a PNG file."""
    target = io.BytesIO()
    with av.open(target, "w", format="image2pipe") as file:
        stream = file.add_stream("png", rate=1)
        stream.height, stream.width = page.shape[-2:]
        stream.pix_fmt = "gray"
        # Letters on nothing: whole bytes repeat, and predicting them from others only hides it.
        stream.options = {"pred": "none", "compression_level": "9"}
        file.mux(stream.encode(av.VideoFrame.from_ndarray(page[0].numpy(), format="gray")))
        file.mux(stream.encode(None))
    return target.getvalue()


def decode_page(image: bytes) -> Tensor:
    """What `encode_page` packed."""
    with av.open(io.BytesIO(image), "r") as file:
        return torch.from_numpy(next(file.decode(video=0)).to_ndarray())[None]


def _spread(count: int) -> list[int]:
    """The numbers below `count` in an order that, wherever it stops, has covered them evenly: that
    of their binary digits read backwards."""
    digits = max(1, (count - 1).bit_length())
    return sorted(range(count), key=lambda number: int(f"{number:0{digits}b}"[::-1], 2))
