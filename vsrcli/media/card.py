"""Decoding and encoding on a graphics card (NVDEC, NVENC), whose pictures stay there as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from av.codec.hwaccel import HWAccel
from av.video.frame import CudaContext, VideoFrame
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from vsrcli.media.info import VideoInfo

_DEPTHS = {"h264": (8,), "hevc": (8, 10), "vp9": (8, 10)}
"""Bits of the 4:2:0 that every card of the last ten years decodes, by codec. AV1 is left to
dav1d, which is what PyAV opens for it."""
_SHIFTS = {"nv12": 0, "p010le": 6}
"""By how many bits the samples of these formats lie too high."""


def can_decode(video: VideoInfo) -> bool:
    """Whether a card is worth asking. Sides must be even: a plane of odd ones would be cut off."""
    form = video.format
    return (
        form.bits in _DEPTHS.get(video.codec, ())
        and (form.family, form.chroma_shift, form.alpha) == ("yuv", (1, 1), False)
        and video.width % 2 == video.height % 2 == 0
        and not video.interlaced
    )


def acceleration(card: int) -> HWAccel | None:
    """What makes libav decode on this card, and on the CPU where the card does not take the stream
    after all. None without a card. To be used in this thread."""
    if not torch.cuda.is_available():
        return None
    # In torch's context, or torch could not read the pictures. libav would only share it as the
    # card's primary one if it had been first to make it; but it takes the thread's current one.
    torch.cuda.set_device(card)
    torch.zeros(1, device="cuda")  # there is none before the first work
    return HWAccel(
        "cuda",
        device=str(card),
        allow_software_fallback=True,
        options={"primary_ctx": "0", "current_ctx": "1"},
        is_hw_owned=True,
    )


def shared_context(card: int) -> CudaContext:
    """Torch's context on this card, for pictures whose planes torch has made."""
    return CudaContext(device_id=card, primary_ctx=False, current_ctx=True)


def picture_of(
    planes: Sequence[Tensor], pix_fmt: str, context: CudaContext | None = None
) -> VideoFrame:
    """Y, Cb, Cr of 4:2:0, as in `Frame.planes`, as a picture in the format `pix_fmt`, nv12 or
    p010le. On a card it stays there, in `context`; what makes the planes must be done by then."""
    packed = joined(planes, _SHIFTS[pix_fmt])
    if packed[0].is_cuda:
        torch.cuda.current_stream(packed[0].device).synchronize()
    return VideoFrame.from_dlpack(packed, format=pix_fmt, cuda_context=context)


def joined(planes: Sequence[Tensor], shift: int) -> tuple[Tensor, Tensor]:
    """The inverse of `separated`."""
    luma, *chroma = planes
    packed = luma, torch.stack(tuple(chroma), 2)
    if not shift:
        return packed
    y, c = ((plane.view(torch.int16) << shift).view(torch.uint16) for plane in packed)
    return y, c


def planes_on_card(picture: VideoFrame) -> tuple[Tensor, ...]:
    """The samples of a picture that lies on a card as planes of their own, as in `Frame.planes`.

    They are copies, ready in the current stream: the decoder has few surfaces and wants this one
    back.
    """
    luma, chroma = picture.planes
    assert picture.sw_format is not None
    shift = _SHIFTS[picture.sw_format.name]
    device = torch.device("cuda", luma.__dlpack_device__()[1])
    stream = torch.cuda.current_stream(device)
    # The decoder writes in the default stream, which torch's others do not wait for.
    stream.wait_stream(torch.cuda.default_stream(device))
    # By hand: torch would name a stream to PyAV, which takes none.
    made = separated(from_dlpack(luma.__dlpack__()), from_dlpack(chroma.__dlpack__()), shift)
    copied = torch.cuda.Event(blocking=True)
    copied.record(stream)
    copied.synchronize()
    return made


def separated(luma: Tensor, chroma: Tensor, shift: int) -> tuple[Tensor, ...]:
    """luma (H, W), chroma (H/2, W/2, 2), uint8 or uint16 whose values lie `shift` bits too high ->
    Y, Cb, Cr, fresh."""
    planes = (luma, *chroma.unbind(2))
    if not shift:
        return tuple(plane.clone(memory_format=torch.contiguous_format) for plane in planes)
    # Torch shifts no unsigned 16 bits; of signed ones the sign comes down too, and is cut off.
    below = 2 ** (16 - shift) - 1
    return tuple(
        ((plane.view(torch.int16) >> shift) & below).contiguous().view(torch.uint16)
        for plane in planes
    )
