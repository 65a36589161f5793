"""What all pictures share: limits of colour scales, holes, a grid of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Okabe and Ito's colours, told apart by all common kinds of colour vision, each with a shape of its own.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "x")
WIDTH = 2.2
"""Inches of one map."""


@dataclass(frozen=True)
class Picture:
    """One map of a grid: RGB (H, W, 3), or values (H, W) with the arguments of imshow."""

    title: str
    values: Tensor
    style: dict[str, Any] = field(default_factory=dict)
    rectangle: tuple[int, int, int, int] | None = None
    """(top, bottom, left, right) in pixels."""


def save_grid(path: Path, rows: Sequence[Sequence[Picture]]) -> None:
    """Rows of maps of equal height, each with its colour bar."""
    plt = pyplot()
    heights = [0.32 + WIDTH * 0.86 * row[0].values.shape[0] / row[0].values.shape[1] for row in rows]
    columns = max(len(row) for row in rows)
    figure, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(WIDTH * columns, sum(heights)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for row, line in zip(rows, axes, strict=True):
        for axis in line:
            axis.set_axis_off()
        for picture, axis in zip(row, line, strict=False):
            style = dict(picture.style)
            if "cmap" in style:
                # Grey, which no scale has: a hole is not a value.
                style["cmap"] = plt.get_cmap(style["cmap"]).with_extremes(bad="0.75")
            image = axis.imshow(picture.values.numpy(), **style)
            axis.set_title(picture.title, fontsize=7)
            if picture.values.ndim == 2:
                figure.colorbar(image, ax=axis, fraction=0.05, pad=0.01).ax.tick_params(labelsize=6)
            if picture.rectangle is not None:
                top, bottom, left, right = picture.rectangle
                for colour, width in (("black", 2.6), ("white", 1.2)):
                    box = plt.Rectangle((left, top), right - left, bottom - top, fill=False, ec=colour, lw=width)
                    axis.add_patch(box)
    save(figure, path)


def pyplot() -> Any:
    """Matplotlib, drawing into files; imported late because nothing else needs it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    pyplot().close(figure)


def depth_limits(depth: Float[Tensor, "H W"], scored: Bool[Tensor, "H W"]) -> tuple[float, float]:
    """2nd and 98th percentile of the scored depth: limits of the colour scale."""
    if not scored.any():
        return 0.0, 1.0
    values = depth[scored][:: max(1, int(scored.sum()) // 100_000)]
    near, far = torch.quantile(values, torch.tensor([0.02, 0.98])).tolist()
    return near, far


def holes(values: Float[Tensor, "H W"], scored: Bool[Tensor, "H W"]) -> Float[Tensor, "H W"]:
    """NaN, which is drawn as a hole, wherever nothing is scored."""
    return values.where(scored, float("nan"))
