"""A video file as upright RGB frames, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from tr2m.errors import UserError

if TYPE_CHECKING:
    from av.container import InputContainer


@dataclass(frozen=True)
class ClipFrame:
    """One frame of a clip."""

    image: UInt8[np.ndarray, "H W 3"]
    """RGB, turned as the file asks."""
    seconds: float
    """When it is shown; frames need not be evenly spaced."""


@dataclass(frozen=True)
class Clip:
    """A video file that has been looked at: it has `frames` frames, about `fps` a second."""

    path: Path
    frames: int
    fps: float

    @classmethod
    def open(cls, path: Path) -> Clip:
        """Count the frames, which is quick: nothing is decoded.

        Raises:
            UserError: PyAV is not installed; the file is missing, no video, empty, truncated, or of an unknown codec.
        """
        with opened(path) as container:
            stream = container.streams.video[0]
            frames = sum(packet.size > 0 for packet in container.demux(stream))
            if not frames:
                raise UserError(f"{path}: its video has no frame")
            if frames < stream.frames:
                raise UserError(f"{path} is truncated: {frames} of {stream.frames} frames are there. Copy it again")
            return cls(path, frames, float(stream.average_rate or stream.guessed_rate or 0) or 25.0)

    def __iter__(self) -> Iterator[ClipFrame]:
        """Decode one frame after the other. Raises UserError at one that is broken."""
        number = 0
        with opened(self.path) as container:
            for number, frame in enumerate(container.decode(video=0), 1):
                image = frame.to_ndarray(format="rgb24")
                seconds = (number - 1) / self.fps if frame.time is None else frame.time
                yield ClipFrame(np.ascontiguousarray(np.rot90(image, frame.rotation // 90)), seconds)
        if number < self.frames:
            raise UserError(f"{self.path}: {number} of {self.frames} frames could be decoded, the rest is broken")


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The file, with a video stream that can be decoded. Raises UserError for anything else, and for what breaks while
    it is read.
    """
    library = load_av()
    if not path.is_file():
        raise UserError(f"no file {path}")
    try:
        with library.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path} has no video stream, expected a video")
            if container.streams.video[0].codec_context is None:
                raise UserError(f"{path}: its codec cannot be decoded here; convert it to H.264, such as with ffmpeg")
            yield container
    except library.error.FFmpegError as error:
        raise UserError(f"{path} cannot be read as a video ({error.strerror}); is it whole?") from error


def load_av() -> Any:
    """The library, imported on first use. Raises UserError where it is not installed."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise UserError("videos need PyAV: pip install 'tr2m[video]'") from error
    return av
