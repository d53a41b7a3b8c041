"""What is known of codecs."""

from __future__ import annotations

import pytest

from vsrcli.media.codecs import leaves_marks


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "mpeg2video", "mpeg4", "mjpeg"])
def test_everyday_codecs_leave_marks(codec: str) -> None:
    assert leaves_marks(codec)


@pytest.mark.parametrize("codec", ["ffv1", "rawvideo", "png", "tiff", "prores", "dnxhd"])
def test_lossless_and_editing_codecs_leave_none(codec: str) -> None:
    assert not leaves_marks(codec)
