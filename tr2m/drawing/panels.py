"""Pictures of what the model does in training: one panel per frame."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from torch import Tensor

from tr2m.drawing.colours import depth_style
from tr2m.drawing.grid import Picture, abs_rel, draw, ground_truth, new_figure, save, scale_map, shift_map
from tr2m.drawing.grid import relative_depth as relative_picture
from tr2m.evaluation.protocol import Protocol, resize_to
from tr2m.types import DepthBatch, TR2MOutput


def save_panel(path: Path, batch: DepthBatch, output: TR2MOutput, relative_depth: Tensor, protocol: Protocol) -> None:
    """RGB, relative depth, scale map, shift map, prediction, ground truth and AbsRel map of a batch of one frame."""
    unit, depth = batch.unit, batch.depth[0].cpu()
    size = (depth.shape[0], depth.shape[1])
    scored = protocol.scored(depth, batch.valid[0].cpu())
    prediction = resize_to(output.metric_depth[0].cpu(), size)
    style = depth_style(depth, scored)
    pictures = [
        # The end of a long name identifies the frame.
        Picture(f"{batch.dataset}: {batch.sample_ids[0]}"[-44:], batch.image[0].permute(1, 2, 0).cpu()),
        relative_picture(relative_depth[0].cpu()),
        scale_map(output.scale_map[0].cpu(), unit),
        shift_map(output.shift_map[0].cpu(), unit),
        Picture(f"prediction ({unit})", prediction, style),
        ground_truth(depth, scored, unit, style),
        abs_rel("AbsRel", prediction, depth, scored),
    ]
    # Rows as high as the maps are in columns of 3.2 inches, plus a title: no white between them.
    row = 0.45 + 3.2 * size[0] / size[1]
    figure = new_figure(16, 2 * row)
    axes = figure.subplots(2, 4).ravel()
    for axis, picture in zip(axes, pictures, strict=False):
        draw(figure, axis, picture, 9)
    axes[7].set_axis_off()
    # Outside the layout: a long caption must not take width from the maps.
    axes[7].text(0, 0.9, fill(f"“{batch.captions[0]}”", 34), va="top", fontsize=11).set_in_layout(False)
    save(figure, path, dpi=120)
