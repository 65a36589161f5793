"""A picture to look a data set over before trusting it: image, depth, valid pixels, scored region and caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import FigureBase
from tqdm import tqdm

from tr2m.data.depth_dataset import DepthDataset
from tr2m.drawing.colours import depth_style, holes
from tr2m.drawing.grid import Picture, draw, new_figure, save
from tr2m.evaluation.protocol import Protocol
from tr2m.types import Frame, Unit

_COLUMN, _TITLES = 3.4, 0.75
"""Inches: the width of a column, and what a row needs beside its pictures."""


def save_contact_sheet(path: Path, dataset: DepthDataset, protocol: Protocol, indices: Sequence[int]) -> None:
    """Write a PNG file with one row per frame. Raises UserError for a frame that cannot be read."""
    frames = [dataset.read_frame(index) for index in tqdm(indices, desc="contact sheet")]
    heights = [_TITLES + _COLUMN * frame.image.shape[0] / frame.image.shape[1] for frame in frames]
    figure = new_figure(4 * _COLUMN, sum(heights))
    rows = figure.subfigures(len(frames), 1, squeeze=False, height_ratios=heights)[:, 0]
    for row, frame, index in zip(rows, frames, indices, strict=True):
        caption = dataset.captions.lines(dataset.split, dataset.sample_ids[index])[0]
        row.suptitle(f"{dataset.split}  {dataset.sample_ids[index]}\n{caption}", fontsize=8)
        draw_frame(row, frame, dataset.unit, protocol)
    save(figure, path, dpi=120)


def draw_frame(row: FigureBase, frame: Frame, unit: Unit, protocol: Protocol) -> None:
    """One frame into a row of the figure."""
    depth, valid = torch.from_numpy(frame.depth), torch.from_numpy(frame.depth > 0)
    region = protocol.region.mask(*depth.shape)
    scored = protocol.scored(depth, valid)
    pictures = [
        Picture("image {}x{}".format(*frame.image.shape[:2]), torch.from_numpy(frame.image)),
        Picture(f"depth ({unit})", holes(depth, valid), depth_style(depth, valid)),
        Picture(f"valid, {valid.float().mean():.0%}", valid.float(), {"cmap": "gray", "vmin": 0, "vmax": 1}, bar=False),
        Picture(
            f"region (grey), scored (white), {scored.float().mean():.0%}",
            region.float() + scored.float(),
            {"cmap": "gray", "vmin": 0, "vmax": 2},
            bar=False,
        ),
    ]
    for axis, picture in zip(row.subplots(1, 4), pictures, strict=True):
        draw(row, axis, picture, 9)
