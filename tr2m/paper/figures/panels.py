"""Figures 3, 4 and 7, and a grid of scale and shift maps."""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tr2m.drawing.axes import Picture, depth_limits, holes, save_grid
from tr2m.evaluation.alignment import LinearFit
from tr2m.paper.figures.frames import PredictedFrame


def save_comparison(path: Path, frames: list[PredictedFrame]) -> None:
    """Figures 3 and 7: image, ground truth, and for each model its depth and its AbsRel map; a row for each frame."""
    rows = []
    for frame in frames:
        scored, style = frame.scored, depth_style(frame)
        row = [
            photograph(frame),
            Picture(f"ground truth ({frame.unit})", holes(frame.depth, scored), style),
        ]
        for label in frame.outputs:
            depth = frame.metric_depth(label)
            error = (depth - frame.depth).abs() / frame.depth.where(scored, 1.0)
            row.append(Picture(f"{label} ({frame.unit})", depth, style))
            title = f"{label}: AbsRel, mean {error[scored].mean():.3f}"
            row.append(Picture(title, holes(error, scored), {"cmap": "inferno", "vmin": 0, "vmax": 0.5}))
        rows.append(row)
    save_grid(path, rows)


def save_corrections(path: Path, frames: list[PredictedFrame]) -> None:
    """Figure 4: the relative depth fitted to the ground truth by one scale and shift, the model's depth, the ground
    truth; the rectangle is where the first two disagree most.
    """
    rows = []
    for frame in frames:
        label = next(iter(frame.outputs))
        fitted = LinearFit()(frame.relative_at_size(), "relative_depth", frame.depth, frame.scored)
        depth = frame.metric_depth(label)
        low, high = frame.batch.depth_range
        box = most_different(fitted.clamp(low, high), depth.clamp(low, high), frame.scored)
        pictures = {
            f"relative depth, linear fit ({frame.unit})": fitted,
            f"{label} ({frame.unit})": depth,
            f"ground truth ({frame.unit})": holes(frame.depth, frame.scored),
        }
        style = depth_style(frame)
        rows.append([photograph(frame), *[Picture(title, values, style, box) for title, values in pictures.items()]])
    save_grid(path, rows)


def save_maps(path: Path, frames: list[PredictedFrame]) -> None:
    """Image, relative depth, scale map, shift map and depth; a row for each frame."""
    rows = []
    for frame in frames:
        label, output = next(iter(frame.outputs.items()))
        relative = Picture("relative depth (larger is nearer)", frame.relative_depth, {"cmap": "magma"})
        scale = Picture(f"scale map (1/{frame.unit})", output.scale_map[0], {"cmap": "viridis"})
        shift = Picture(f"shift map (1/{frame.unit})", output.shift_map[0], {"cmap": "viridis"})
        depth = Picture(f"{label} ({frame.unit})", frame.metric_depth(label), depth_style(frame))
        rows.append([photograph(frame), relative, scale, shift, depth])
    save_grid(path, rows)


def most_different(
    first: Float[Tensor, "H W"], second: Float[Tensor, "H W"], scored: Bool[Tensor, "H W"], share: float = 0.3
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the window, `share` of each side, in which |log(first / second)| is largest on
    average, over scored pixels, after their median ratio is taken out: an error of shape, not of scale.
    """
    ratio = (first / second).log()
    difference = (ratio - ratio[scored].median()).abs() * scored
    height, width = (max(1, round(share * side)) for side in first.shape)
    total, share_scored = (
        F.avg_pool2d(values[None, None], (height, width), stride=1)[0, 0] for values in (difference, scored.float())
    )
    # A window with few scored pixels has no mean worth looking at.
    means = (total / share_scored.clamp(min=1e-6)).where(share_scored > scored.float().mean() / 2, 0.0)
    top, left = divmod(int(means.argmax()), means.shape[1])
    return top, top + height, left, left + width


def photograph(frame: PredictedFrame) -> Picture:
    return Picture(f"{frame.batch.dataset}\n{frame.name}", frame.batch.image[0].permute(1, 2, 0))


def depth_style(frame: PredictedFrame) -> dict[str, float | str]:
    near, far = depth_limits(frame.depth, frame.scored)
    return {"cmap": "magma_r", "vmin": near, "vmax": far}
