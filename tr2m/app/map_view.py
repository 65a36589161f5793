"""A map drawn in the browser: its picture, its colour bar, and the value under the pointer, from the same numbers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio
import numpy as np
from jaxtyping import Float

from tr2m.points.files import thinning

MAX_SENT = 400_000
"""Pixels of a map that are sent to the browser, 1.6 MB; of larger ones every n-th row and column."""
COLOURS = 256
"""Steps of a colour bar."""
CODE, STYLE, FRAME = (
    Path(__file__).with_name(f"map_view.{kind}").read_text(encoding="utf-8") for kind in ("js", "css", "html")
)


@dataclass(frozen=True)
class DrawnMap:
    """What a `MapView` shows."""

    title: str
    values: Float[np.ndarray, "h w"]
    """Every `step`-th row and column of a map."""
    step: int
    unit: str
    colours: str
    """Name of one of matplotlib's colour maps."""
    limits: tuple[float, float]
    """The values at the two ends of the colour bar."""
    strong: Collection[int] = ()
    """Which words of the title are bold."""

    def payload(self) -> dict[str, Any]:
        """For `map_view.js`: the values as little-endian float32, and the colours of the bar."""
        from matplotlib import colormaps

        sent = np.ascontiguousarray(self.values, dtype="<f4")
        bar = (colormaps[self.colours](np.linspace(0, 1, COLOURS))[:, :3] * 255).round().astype(int)
        return {
            "words": [{"text": word, "strong": i in self.strong} for i, word in enumerate(self.title.split())],
            "unit": self.unit,
            "height": sent.shape[0],
            "width": sent.shape[1],
            "step": self.step,
            "values": b64encode(sent.tobytes()).decode(),
            "colours": bar.tolist(),
            "limits": list(self.limits),
        }


def thinned(values: Float[np.ndarray, "H W"]) -> tuple[Float[np.ndarray, "h w"], int]:
    """Every n-th row and column, and the least n that leaves at most MAX_SENT pixels."""
    step = thinning((values.shape[0], values.shape[1]), MAX_SENT)
    return values[::step, ::step].copy(), step


def map_view(group: str, name: str) -> gradio.HTML:
    """A component whose value is a `DrawnMap.payload()`, or None. In a `group` all point at the same pixel.

    No subclass of gradio's: it would write a .pyi file beside this one.
    """
    return gradio.HTML(
        value=None,
        html_template=FRAME,
        css_template=STYLE,
        js_on_load=CODE,
        apply_default_css=False,
        elem_id=name,
        group=group,
    )
