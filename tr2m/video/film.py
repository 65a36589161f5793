"""A clip and its depth side by side, as an MP4 file."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tr2m.drawing.colours import DEPTH, colourise
from tr2m.types import Unit
from tr2m.video.clip import load_av

MAX_HEIGHT = 720
"""Pixels; larger clips are drawn smaller."""
BAR_WIDTH = 110
TIME_BASE = Fraction(1, 90_000)
"""Fine enough for every frame rate, even or not."""


def write_film(path: Path, pictures: Iterable[tuple[UInt8[np.ndarray, "H W 3"], float]], fps: float) -> None:
    """Write RGB pictures of one size, each with the second at which it is shown, as H.264."""
    with load_av().open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options={"crf": "18"})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        last = -1
        for picture, seconds in pictures:
            if last < 0:
                stream.height, stream.width = picture.shape[:2]
            frame = load_av().VideoFrame.from_ndarray(picture, format="rgb24")
            # Two frames at one time are shown one after the other.
            last = frame.pts = max(last + 1, round(seconds / TIME_BASE))
            frame.time_base = TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def side_by_side(
    image: UInt8[np.ndarray, "H W 3"],
    depth: Float[np.ndarray, "H W"],
    bar: UInt8[np.ndarray, "h b 3"],
    limits: tuple[float, float],
) -> UInt8[np.ndarray, "h w 3"]:
    """Image, depth in colours from `limits`, and the colour bar, whose height is that of the picture."""
    height = bar.shape[0]
    width = even(image.shape[1] * height / image.shape[0])
    coloured = colourise(depth, DEPTH, limits)[..., ::-1]
    parts = [cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) for part in (image, coloured)]
    return np.ascontiguousarray(np.hstack([*parts, bar]))


def picture_height(height: int) -> int:
    """Of the film for a clip of this height."""
    return even(min(height, MAX_HEIGHT))


def even(number: float) -> int:
    """Both sides of an H.264 picture are even."""
    return max(2, round(number / 2) * 2)


def colour_bar(height: int, limits: tuple[float, float], unit: Unit) -> UInt8[np.ndarray, "h b 3"]:
    """The bar of a shot, with its numbers, BAR_WIDTH wide."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    dpi = 100
    figure = Figure((BAR_WIDTH / dpi, height / dpi), dpi)
    canvas = FigureCanvasAgg(figure)
    axis = figure.add_axes((0.12, 0.06, 0.2, 0.86))
    bar = figure.colorbar(ScalarMappable(Normalize(*limits), DEPTH), cax=axis, extend="both")
    bar.ax.set_title(unit, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
