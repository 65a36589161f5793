"""Pictures side by side, each with its title and its colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Bool, Float
from torch import Tensor

from tr2m.drawing.colours import ABS_REL, MAP, RELATIVE_DEPTH, holes
from tr2m.files import temporary_for, written_to

if TYPE_CHECKING:
    # Imported late below because nothing but pictures needs it.
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

WIDTH = 2.2
"""Inches of one picture of a grid."""
MANY_OUTSIDE = 0.1
"""Of the ground truth itself 4 % are, by `depth_style`."""


@dataclass(frozen=True)
class Picture:
    """One map: RGB (H, W, 3), or values (H, W) with the arguments of imshow."""

    title: str
    values: Tensor
    style: dict[str, Any] = field(default_factory=dict)
    rectangle: tuple[int, int, int, int] | None = None
    """(top, bottom, left, right) in pixels."""
    bar: bool = True
    """Whether values have a colour bar."""


def relative_depth(values: Float[Tensor, "h w"]) -> Picture:
    return Picture("relative depth (larger is nearer)", values, {"cmap": RELATIVE_DEPTH})


def scale_map(values: Float[Tensor, "h w"], unit: str) -> Picture:
    return Picture(f"scale map (1/{unit})", values, {"cmap": MAP})


def shift_map(values: Float[Tensor, "h w"], unit: str) -> Picture:
    return Picture(f"shift map (1/{unit})", values, {"cmap": MAP})


def ground_truth(depth: Float[Tensor, "H W"], scored: Bool[Tensor, "H W"], unit: str, style: dict[str, Any]) -> Picture:
    return Picture(f"ground truth ({unit})", holes(depth, scored), style)


def abs_rel(
    title: str, prediction: Float[Tensor, "H W"], depth: Float[Tensor, "H W"], scored: Bool[Tensor, "H W"]
) -> Picture:
    """The AbsRel map of a prediction; its mean follows the title."""
    error = (prediction - depth).abs() / depth.where(scored, 1.0)
    mean = f"mean {error[scored].mean():.3f}" if scored.any() else "no valid pixel"
    return Picture(f"{title}, {mean}", holes(error, scored), ABS_REL)


def draw(figure: FigureBase, axis: Axes, picture: Picture, font_size: float) -> None:
    """One picture on one axis of the figure; holes are grey, which no scale has: a hole is not a value. Where values
    lie beyond an end of the colour bar it has an arrowhead; where they are many, the title states their share.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    style = dict(picture.style)
    if "cmap" in style:
        style["cmap"] = colormaps[style["cmap"]].with_extremes(bad="0.75")
    image = axis.imshow(picture.values.numpy(), **style)
    extend, note = outside(picture)
    axis.set_title(picture.title + note, fontsize=font_size)
    axis.set_axis_off()
    if picture.values.ndim == 2 and picture.bar:
        bar = figure.colorbar(image, ax=axis, fraction=0.05, pad=0.01, extend=extend)
        bar.ax.tick_params(labelsize=font_size - 1)
    if picture.rectangle is not None:
        top, bottom, left, right = picture.rectangle
        for colour, width in (("black", 2.6), ("white", 1.2)):
            axis.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec=colour, lw=width))


def outside(picture: Picture) -> tuple[str, str]:
    """At which ends of the colour bar values lie beyond it ("neither", "min", "max", "both"), and a note for the title
    where they are more than MANY_OUTSIDE of all: such a picture is not to be read by its colours.
    """
    if "vmin" not in picture.style:
        return "neither", ""
    known = picture.values[picture.values.isfinite()]
    below, above = known < picture.style["vmin"], known > picture.style["vmax"]
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[bool(below.any()), bool(above.any())]
    share = (below | above).float().mean().item() if len(known) else 0.0
    return extend, f", {share:.0%} off the bar" if share > MANY_OUTSIDE else ""


def save_grid(path: Path, rows: Sequence[Sequence[Picture]]) -> None:
    """Rows of pictures of equal height."""
    heights = [0.32 + WIDTH * 0.86 * row[0].values.shape[0] / row[0].values.shape[1] for row in rows]
    columns = max(len(row) for row in rows)
    figure = new_figure(WIDTH * columns, sum(heights))
    axes = figure.subplots(len(rows), columns, height_ratios=heights, squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        for axis in line:
            axis.set_axis_off()
        for picture, axis in zip(row, line, strict=False):
            draw(figure, axis, picture, 7)
    save(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches. Not of pyplot, which keeps figures until they are closed."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path, dpi: int = 160) -> None:
    """PNG or PDF, by the suffix. Raises UserError if the disk cannot hold it."""
    with written_to(path), temporary_for(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format=path.suffix[1:])
