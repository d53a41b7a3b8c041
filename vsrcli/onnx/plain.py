"""ONNX files of other makers: a picture (N, 3, H, W), RGB in [0, 1], becomes one `scale` times as
large, as the community's super-resolution models do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from vsrcli.errors import WeightsError
from vsrcli.onnx.file import OnnxFile
from vsrcli.onnx.session import Graph, Session
from vsrcli.onnx.shapes import Shape, Signature, Value, enlarged, fixed

_TYPES = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16}
_LARGEST_SCALE = 16
_TRIED = ((1, 33), (2, 34), (4, 36), (8, 40), (16, 48), (32, 96), (64, 192))
"""What sizes may have to be multiples of, and a side that is one of that and of no more."""


@dataclass(frozen=True)
class PlainModel:
    """A model that enlarges pictures, in a session."""

    graph: Graph
    """(N, 3, H, W) -> (N, 3, s*H, s*W), N = 1 where batches are not taken."""
    scale: int
    multiple: int
    """Height and width must be one of this."""
    size: tuple[int, int] | None
    """The one height and width that it takes; None for any."""
    batches: bool
    """Whether N may be more than 1."""
    dtype: torch.dtype
    """Of its input."""


def plain_model(file: OnnxFile, device: torch.device) -> PlainModel:
    """The model of a file, tried on small pictures, which shows what it does.

    Raises WeightsError when it does something else, DeviceError when ONNX Runtime has nothing for
    the device.
    """
    # By its path: its weights may lie beside it.
    session = Session(file.path, device, file.path)
    try:
        return _tried(session)
    except ValueError as error:
        raise WeightsError(
            f"{file.path} does not enlarge pictures: {error}; a model (N, 3, H, W) -> "
            "(N, 3, s*H, s*W) of float32 or float16 is wanted"
        ) from None


def _tried(session: Session) -> PlainModel:
    inputs, outputs = session.runtime.get_inputs(), session.runtime.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(f"it has {len(inputs)} inputs and {len(outputs)} outputs")
    (taken,), (given,) = inputs, outputs
    for each in (taken, given):
        if each.type not in _TYPES:
            raise ValueError(f"{each.name} is of type {each.type}")
    if len(taken.shape) != 4 or not _may_be(taken.shape[1], 3) or not _may_be(taken.shape[0], 1):
        raise ValueError(f"{taken.name} has shape {tuple(taken.shape)}")
    dtype = _TYPES[taken.type]

    def made(count: int, height: int, width: int) -> tuple[int, ...]:
        picture = torch.full((count, 3, height, width), 0.5, dtype=dtype).numpy()
        output = session.run([given.name], {taken.name: picture})[0]
        return tuple(output.shape)

    size: tuple[int, int] | None = None
    multiple = 1
    if isinstance(taken.shape[2], int) and isinstance(taken.shape[3], int):
        size = (taken.shape[2], taken.shape[3])
        scale = _scale(size, made(1, *size))
    else:
        multiple, scale = _least_multiple(lambda side: made(1, side, side))
    batches = not isinstance(taken.shape[0], int) and _takes_batches(
        made, size or (2 * multiple, 2 * multiple)
    )
    count: int | str = "N" if batches else 1
    picture: Shape = (count, 3, *(size or ("H", "W")))
    larger = (count, *enlarged(scale)[1:])
    if size is not None:
        larger = fixed(larger, {"H": size[0], "W": size[1]})
    signature = Signature(
        {taken.name: Value(picture, dtype)}, {given.name: Value(larger, _TYPES[given.type])}
    )
    return PlainModel(Graph(session, signature), scale, multiple, size, batches, dtype)


def _may_be(length: object, value: int) -> bool:
    """Whether a length that a model states, perhaps by a name, allows this value."""
    return not isinstance(length, int) or length == value


def _least_multiple(made: Callable[[int], tuple[int, ...]]) -> tuple[int, int]:
    """What height and width must be a multiple of, and the scale; `made` is the output's shape for
    a square picture."""
    failure: Exception = ValueError("no size suits it")
    for multiple, side in _TRIED:
        try:
            return multiple, _scale((side, side), made(side))
        except (ValueError, WeightsError) as error:
            failure = error
    raise failure


def _scale(size: tuple[int, int], made: tuple[int, ...]) -> int:
    """The enlargement of a picture of this size into an output of this shape."""
    height, width = size
    scale = made[-1] // width
    if not 1 <= scale <= _LARGEST_SCALE or made != (1, 3, scale * height, scale * width):
        raise ValueError(f"a picture of {height} x {width} becomes an output of shape {made}")
    return scale


def _takes_batches(made: Callable[..., tuple[int, ...]], size: tuple[int, int]) -> bool:
    try:
        return made(2, *size)[0] == 2
    except WeightsError:
        return False
