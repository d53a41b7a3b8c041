"""Making whole pictures of interlaced ones, one frame for one frame, with FFmpeg's bwdif."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from vsrcli.media.formats import pixel_format, planar_format, reformatted, stored_format
from vsrcli.media.timing import TimedPicture

Deinterlace = Literal["auto", "on", "off"]


def deinterlaced(
    pictures: Iterable[TimedPicture], mode: Deinterlace, time_base: Fraction
) -> Iterator[TimedPicture]:
    """The same pictures at the same times, without combing.

    `auto` touches only frames that the decoder flags as interlaced, `on` takes every frame for
    interlaced, `off` hands all on as they are, and so are pictures of a few samples, which bwdif
    refuses. All pictures must have one size and format. The order of the fields is each frame's
    own. Each result depends on its neighbours in time too.
    """
    if mode == "off":
        yield from pictures
        return
    graph: Graph | None = None
    waiting: deque[TimedPicture] = deque()
    for picture in pictures:
        if graph is None:
            woven = mode == "on" or picture.image.interlaced_frame
            if not woven or _too_small(picture.image):
                yield picture
                continue
            graph = _graph(picture.image, mode, time_base)
        waiting.append(picture)
        graph.vpush(_planar(picture))
        yield from _ready(graph, waiting)
    if graph is not None:
        graph.vpush(None)
        yield from _ready(graph, waiting)
        assert not waiting, f"bwdif kept {len(waiting)} frames"


def _too_small(image: VideoFrame) -> bool:
    """Whether a plane has fewer than 3 columns or 4 rows."""
    form = pixel_format(planar_format(stored_format(image)))
    sizes = [form.plane_size(plane, image.width, image.height) for plane in (0, 1)]
    return any(height < 4 or width < 3 for height, width in sizes)


def _graph(image: VideoFrame, mode: Deinterlace, time_base: Fraction) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=image.width,
        height=image.height,
        format=av.VideoFormat(planar_format(stored_format(image))),
        time_base=time_base,
    )
    which = "interlaced" if mode == "auto" else "all"
    bwdif = graph.add("bwdif", f"mode=send_frame:parity=auto:deint={which}")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    return graph


def _planar(picture: TimedPicture) -> VideoFrame:
    """A frame that bwdif takes; it reads the times between frames, and they must grow."""
    image = reformatted(picture.image, planar_format(stored_format(picture.image)))
    image.pts = picture.pts
    return image


def _ready(graph: Graph, waiting: deque[TimedPicture]) -> Iterator[TimedPicture]:
    """What the filter has finished, each with the time of the picture that went in for it."""
    while True:
        try:
            image = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        before = waiting.popleft()
        yield TimedPicture(image, before.pts, before.duration)
