"""Clips that tests make, with known frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def room(number: int, size: tuple[int, int] = (48, 80)) -> np.ndarray:
    """A smooth picture that moves a little from frame to frame."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    red = 128 + 90 * np.sin((columns + 2 * number) / 15)
    return np.stack([red, 60 + rows * 2, np.full(size, 40)], axis=-1).clip(0, 255).astype(np.uint8)


def street(number: int, size: tuple[int, int] = (48, 80)) -> np.ndarray:
    """Nothing of the room's colours."""
    return 255 - room(number, size)[..., ::-1] // 2


def write_clip(
    path: Path, pictures: Sequence[np.ndarray], seconds: Sequence[float] | None = None, codec: str = "libx264"
) -> Path:
    """10 frames a second, or at these times; nearly without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"crf": "1"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(1000 * (seconds[number] if seconds else number / 10)), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turned(path: Path, degrees: int) -> Path:
    """Write into an MP4 file's track header that it is to be shown turned clockwise by 90 or 180 degrees."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1)}[degrees]
    data = bytearray(path.read_bytes())
    # The matrix stands 40 bytes behind the header's version and flags: a b u c d v x y w.
    start = data.index(b"tkhd") + 4 + 4 + 36
    for place, value in zip((0, 1, 3, 4), matrix, strict=True):
        data[start + 4 * place : start + 4 * place + 4] = (value * 65536).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    return path
