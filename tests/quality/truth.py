"""Lossless clips with known frames."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor


def write_clip(path: Path, frames: int, width: int = 70, height: int = 50, seed: int = 7) -> Tensor:
    """Write a clip of noise blocks that move by a pixel a frame; its frames (N, 3, H, W)."""
    random = np.random.default_rng(seed)
    picture = np.kron(random.integers(0, 256, (20, 26, 3)), np.ones((5, 5, 1))).astype(np.uint8)
    pixels = np.stack([picture[i : i + height, i : i + width] for i in range(frames)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for picture in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255


def write_images(folder: Path, frames: int, seed: int = 7) -> Tensor:
    """Write a folder of PNG files; its frames (N, 3, 40, 40)."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (frames, 40, 40, 3)).astype(np.uint8)
    for number, picture in enumerate(pixels):
        write_image(folder / f"{number}.png", picture)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255


def write_image(path: Path, picture: np.ndarray) -> None:
    """Write one picture (H, W, 3)."""
    av.VideoFrame.from_ndarray(picture, format="rgb24").save(path)
