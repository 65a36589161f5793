"""Figures 3, 4 and 7, and a grid of scale and shift maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tr2m.drawing.colours import depth_style
from tr2m.drawing.grid import Picture, abs_rel, ground_truth, relative_depth, save_grid, scale_map, shift_map
from tr2m.evaluation.alignment import LinearFit
from tr2m.paper.figures.frames import PredictedFrame
from tr2m.types import with_maps


def save_comparison(path: Path, frames: list[PredictedFrame]) -> None:
    """Figures 3 and 7: image, ground truth, and for each model its depth and its AbsRel map; a row for each frame."""
    rows = []
    for frame in frames:
        scored, style = frame.scored, depth_style(frame.depth, frame.scored)
        row = [photograph(frame), ground_truth(frame.depth, scored, frame.unit, style)]
        for label in frame.outputs:
            depth = frame.metric_depth(label)
            row.append(Picture(f"{label} ({frame.unit})", depth, style))
            row.append(abs_rel(f"{label}: AbsRel", depth, frame.depth, scored))
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
        style = depth_style(frame.depth, frame.scored)
        pictures = [
            Picture(f"relative depth, linear fit ({frame.unit})", fitted, style),
            Picture(f"{label} ({frame.unit})", depth, style),
            ground_truth(frame.depth, frame.scored, frame.unit, style),
        ]
        rows.append([photograph(frame), *[replace(picture, rectangle=box) for picture in pictures]])
    save_grid(path, rows)


def save_maps(path: Path, frames: list[PredictedFrame]) -> None:
    """Image, relative depth, scale map, shift map and depth; a row for each frame."""
    rows = []
    for frame in frames:
        label, output = next(iter(frame.outputs.items()))
        maps = with_maps(output)
        pictures = [
            relative_depth(frame.relative_depth),
            scale_map(maps.scale_map[0], frame.unit),
            shift_map(maps.shift_map[0], frame.unit),
        ]
        style = depth_style(frame.depth, frame.scored)
        rows.append(
            [photograph(frame), *pictures, Picture(f"{label} ({frame.unit})", frame.metric_depth(label), style)]
        )
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
