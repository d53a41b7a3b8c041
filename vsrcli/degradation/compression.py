"""Clips encoded by real encoders and decoded again.

Everything runs in the thread that calls, so that equal clips give equal pictures, and lets other
threads of Python run meanwhile. Codes are BT.601's in video range for all codecs: what comes back
by the way it went looks much the same by any.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from av.codec.codec import UnknownCodecError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from torch import Tensor

from vsrcli.degradation.kernels import to_eight_bits
from vsrcli.degradation.planes import from_planes, to_planes
from vsrcli.errors import OutputError
from vsrcli.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb

Codec = Literal["h264", "hevc", "mpeg2", "mpeg4", "mjpeg"]
Planes = npt.NDArray[np.uint8]
"""(T, 3/2 * H, W) as of `to_planes`."""

_ENCODERS: dict[Codec, str] = {
    "h264": "libx264",
    "hevc": "libx265",
    "mpeg2": "mpeg2video",
    "mpeg4": "mpeg4",
    "mjpeg": "mjpeg",
}
_DECODERS: dict[Codec, str] = _ENCODERS | {"h264": "h264", "hevc": "hevc"}
_RATE = 25
_SMALLEST = 64
"""Width and height. x265 4.2 writes beyond its memory when pictures are 48 wide or less: glibc's
checks of the heap tell."""
_NO_SCENE_CUTS = "1000000000"
"""A threshold that no change reaches, for libav's own encoders."""


@dataclass(frozen=True)
class Compression:
    """How a clip is encoded."""

    codec: Codec
    quality: int
    """The smaller the better: the constant rate factor of x264 and x265, the quantizer of the
    others."""
    preset: str = "medium"
    """Of x264 and x265."""
    interval: int = 250
    """Frames from one key frame to the next."""
    lead: int = 0
    """Frames encoded before the clip and dropped when decoded, so that the clip need not begin with
    a key frame: its own, mirrored in time. Less than the clip has."""


def compressed(clip: Tensor, codec: Codec, quality: int) -> Tensor:
    """What is left of a clip by an encoder with its usual settings.

    `clip` (T, 3, H, W) RGB in [0, 1], any size -> the same shape, 8-bit values, on the same device.
    For `quality` see `Compression`. Raises OutputError if this build of libav has no such encoder,
    or it refuses the clip.
    """
    return compressed_as(clip, Compression(codec, quality))


def compressed_as(clip: Tensor, compression: Compression) -> Tensor:
    """As `compressed`, by an encoder set as described."""
    height, width = clip.shape[-2:]
    ycbcr = rgb_to_ycbcr(clip.float().clamp(0, 1))
    right, bottom = (max(length % 2, _SMALLEST - length) for length in (width, height))
    padded = F.pad(ycbcr, (0, right, 0, bottom), mode="replicate")
    planes = coded(to_planes(padded).cpu().numpy(), compression)
    decoded = from_planes(torch.from_numpy(planes).to(clip.device))
    return to_eight_bits(ycbcr_to_rgb(decoded[..., :height, :width]))


def coded(planes: Planes, compression: Compression) -> Planes:
    """The planes, of pictures of _SMALLEST or more, after encoder and decoder."""
    lead = compression.lead
    packets = encode(np.concatenate((planes[lead:0:-1], planes)), compression)
    return decode(packets, compression.codec)[lead:]


def encode(planes: Planes, compression: Compression) -> list[Packet[Stream]]:
    """The packets of a raw stream, one for each frame of `planes`."""
    name = _ENCODERS[compression.codec]
    # JPEG's codes are of full range by name; these are what they are all the same.
    pix_fmt = "yuvj420p" if compression.codec == "mjpeg" else "yuv420p"
    try:
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        rows, context.width = planes.shape[1:]
        context.height = rows * 2 // 3
        context.pix_fmt = pix_fmt
        context.framerate = Fraction(_RATE)
        context.time_base = Fraction(1, _RATE)
        context.bit_rate = 0  # without it libav aims at 200 kbit/s
        context.thread_count = 1
        context.options = _options(compression)
        packets: list[Packet[Stream]] = []
        for index, picture in enumerate(planes):
            frame = av.VideoFrame.from_ndarray(picture, format=pix_fmt)
            frame.pts = index
            frame.time_base = context.time_base
            packets += context.encode(frame)
        return packets + context.encode(None)
    except (av.FFmpegError, UnknownCodecError) as error:
        height, width = planes.shape[1] * 2 // 3, planes.shape[2]
        raise OutputError(f"{name} cannot encode {width}x{height}: {error}") from error


def decode(packets: list[Packet[Stream]], codec: Codec) -> Planes:
    """What `encode` was given, or nearly."""
    context = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    frames = [frame for packet in packets for frame in context.decode(packet)]
    frames += context.decode(None)
    return np.stack([frame.to_ndarray() for frame in frames])


def _options(compression: Compression) -> dict[str, str]:
    """libav's options that make the encoder do what is described, with no key frames of its own."""
    quality, interval = str(compression.quality), str(compression.interval)
    match compression.codec:
        case "h264":
            return {
                "preset": compression.preset,
                "crf": quality,
                "g": interval,
                "sc_threshold": "0",
                # Else equal clips give different ones now and then, where memory lies otherwise.
                "x264-params": "cpu-independent=1",
            }
        case "hevc":
            parameters = {
                "crf": quality,
                "keyint": interval,
                "scenecut": "0",
                "pools": "none",
                "frame-threads": "1",
                "log-level": "none",
            }
            joined = ":".join(f"{key}={value}" for key, value in parameters.items())
            return {"preset": compression.preset, "x265-params": joined}
        case "mpeg2" | "mpeg4":
            # Two frames in three are predicted from either side, as on DVDs and in DivX files.
            return {
                "qmin": quality,
                "qmax": quality,
                "g": interval,
                "bf": "2",
                "sc_threshold": _NO_SCENE_CUTS,
            }
        case "mjpeg":
            return {"qmin": quality, "qmax": quality}
