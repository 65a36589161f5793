"""A picture to look a data set over before trusting it: image, depth, valid pixels, scored region and caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure, FigureBase
from tqdm import tqdm

from tr2m.data.depth_dataset import DepthDataset
from tr2m.evaluation.protocol import Protocol
from tr2m.types import Frame, Unit

_COLUMN, _TITLES = 3.4, 0.75
"""Inches: the width of a column, and what a row needs beside its pictures."""


def save_contact_sheet(path: Path, dataset: DepthDataset, protocol: Protocol, indices: Sequence[int]) -> None:
    """Write a PNG file with one row per frame. Raises UserError for a frame that cannot be read."""
    frames = [dataset.read_frame(index) for index in tqdm(indices, desc="contact sheet")]
    heights = [_TITLES + _COLUMN * frame.image.shape[0] / frame.image.shape[1] for frame in frames]
    figure = Figure(figsize=(4 * _COLUMN, sum(heights)), layout="constrained")
    rows = figure.subfigures(len(frames), 1, squeeze=False, height_ratios=heights)[:, 0]
    for row, frame, index in zip(rows, frames, indices, strict=True):
        caption = dataset.captions.lines(dataset.split, dataset.sample_ids[index])[0]
        row.suptitle(f"{dataset.split}  {dataset.sample_ids[index]}\n{caption}", fontsize=8)
        draw_frame(row, frame, dataset.unit, protocol)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def draw_frame(row: FigureBase, frame: Frame, unit: Unit, protocol: Protocol) -> None:
    """One frame into a row of the figure."""
    depth, valid = torch.from_numpy(frame.depth), torch.from_numpy(frame.depth > 0)
    region = protocol.region.mask(*depth.shape)
    scored = protocol.scored(depth, valid)
    shown = np.where(frame.depth > 0, frame.depth, np.nan)
    near, far = np.nanpercentile(shown, [2, 98]) if valid.any() else (0, 1)
    image_axis, depth_axis, valid_axis, region_axis = row.subplots(1, 4)
    image_axis.imshow(frame.image)
    image_axis.set_title("image {}x{}".format(*frame.image.shape[:2]), fontsize=9)
    drawn = depth_axis.imshow(shown, cmap="magma_r", vmin=near, vmax=far)
    depth_axis.set_title(f"depth ({unit})", fontsize=9)
    row.colorbar(drawn, ax=depth_axis, fraction=0.04, pad=0.01)
    valid_axis.imshow(valid.numpy(), cmap="gray", vmin=0, vmax=1)
    valid_axis.set_title(f"valid, {valid.float().mean():.0%}", fontsize=9)
    region_axis.imshow((region.float() + scored.float()).numpy(), cmap="gray", vmin=0, vmax=2)
    region_axis.set_title(f"region (grey), scored (white), {scored.float().mean():.0%}", fontsize=9)
    for axis in row.axes[:4]:
        axis.set_axis_off()
