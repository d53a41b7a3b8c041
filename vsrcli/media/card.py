"""Decoding on a graphics card (NVDEC), whose pictures stay there as tensors."""

from __future__ import annotations

import torch
from av.codec.hwaccel import HWAccel
from av.video.frame import VideoFrame
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from vsrcli.media.info import VideoInfo

_DEPTHS = {"h264": (8,), "hevc": (8, 10), "vp9": (8, 10)}
"""Bits of the 4:2:0 that every card of the last ten years decodes, by codec. AV1 is left to
dav1d, which is what PyAV opens for it."""


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


def planes_on_card(picture: VideoFrame) -> tuple[Tensor, ...]:
    """The samples of a picture that lies on a card as planes of their own, as in `Frame.planes`.

    They are copies, ready in the current stream: the decoder has few surfaces and wants this one
    back.
    """
    luma, chroma = picture.planes
    assert picture.sw_format is not None
    shift = {"nv12": 0, "p010le": 6}[picture.sw_format.name]
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
