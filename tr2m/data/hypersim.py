"""HyperSim: rendered indoor scenes; distances along the rays become depth along the optical axis here."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torchvision.transforms.v2 import functional as F

from tr2m.data.captions import CaptionSource
from tr2m.data.decode import open_hdf5, pair, read_rgb
from tr2m.data.depth_dataset import DepthDataset, require_root
from tr2m.data.listing import read_lines
from tr2m.data.splits import select_split
from tr2m.errors import UserError
from tr2m.types import Frame

FOCAL_LENGTH = 886.81
"""Pixels, at a width of 1024: 60 degrees, as evaluation code takes it for every scene."""
LIST = "metadata_images_split_scene_v1.csv"


class HyperSim(DepthDataset):
    """Frames of 768x1024 that the authors' list includes in the public release.

    Args: those of DepthDataset, `split_file`, which states the counts of the authors' list, and
        image: "color" tone-maps the HDR rendering, "preview" is the authors' JPEG of the same.
        image_size: (height, width) that the image, not the depth, is first resized to; None: as it is.
    """

    def __init__(
        self,
        name: str,
        split: str,
        root: str | Path,
        split_file: str | Path,
        captions: CaptionSource,
        input_size: Sequence[int],
        depth_range: Sequence[float],
        image: Literal["color", "preview"] = "color",
        image_size: Sequence[int] | None = None,
    ) -> None:
        self.root = require_root(root, "HyperSim")
        self.image = image
        self.image_size = list(image_size) if image_size is not None else None
        frames = select_split(split_file, split, listed_frames(self.root / LIST, split))
        super().__init__(name, split, ["/".join(frame) for frame in frames], captions, input_size, depth_range)

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "image": self.image, "image_size": self.image_size}

    def read_frame(self, index: int) -> Frame:
        scene, camera, number = self.sample_ids[index].split("/")
        images, frame_name = self.root / scene / "images", f"frame.{number}"
        depth_path = images / f"scene_{camera}_geometry_hdf5/{frame_name}.depth_meters.hdf5"
        if self.image == "preview":
            image_path = images / f"scene_{camera}_final_preview/{frame_name}.tonemap.jpg"
            image = read_rgb(image_path)
        else:
            image_path = images / f"scene_{camera}_final_hdf5/{frame_name}.color.hdf5"
            image = read_tone_mapped(image_path, depth_path.with_name(f"{frame_name}.render_entity_id.hdf5"))
        frame = pair(image, planar_depth(read_dataset(depth_path, 2)), image_path, depth_path)
        if self.image_size is None:
            return frame
        # Bilinear with antialiasing, as the code of the published rows.
        resized = F.resize(torch.from_numpy(image).permute(2, 0, 1), self.image_size)
        return Frame(resized.permute(1, 2, 0).numpy(), frame.depth)


def listed_frames(path: Path, split: str) -> list[tuple[str, str]]:
    """(scene, camera/number) of each released frame of a split. Raises UserError if the list lacks a column."""
    rows = csv.DictReader(read_lines(path, f"{LIST} of github.com/apple/ml-hypersim"))
    try:
        return [
            (row["scene_name"], f"{row['camera_name']}/{int(row['frame_id']):04d}")
            for row in rows
            if row["included_in_public_release"] == "True" and row["split_partition_name"] == split
        ]
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path}, line {rows.line_num}: expected the authors' list as published, got {error}."
        ) from error


def read_dataset(path: Path, dimensions: int) -> np.ndarray:
    """What an HDF5 file of HyperSim holds. Raises UserError if it has not so many dimensions."""
    with open_hdf5(path, "a file of HyperSim with the entry `dataset`") as file:
        array = file["dataset"][()]
    if array.ndim != dimensions:
        raise UserError(f"{path}: got an array of {array.shape}, expected {dimensions} dimensions. Unpack it again.")
    return array


def read_tone_mapped(color_path: Path, entity_path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """RGB from the HDR rendering. Raises UserError also if the two files differ in size."""
    color, entity = read_dataset(color_path, 3), read_dataset(entity_path, 2)
    if color.shape != (*entity.shape, 3):
        raise UserError(
            f"{color_path}: got {color.shape}, expected 3 channels of {entity.shape}, as {entity_path} has."
        )
    return tone_map(color.astype(np.float32), entity)


def planar_depth(distance: Shaped[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    """Depth along the optical axis from distances to the camera centre, both in metres; 0 where there is nothing."""
    height, width = distance.shape
    y, x = np.ogrid[:height, :width]
    squared = (x - (width - 1) / 2) ** 2 + (y - (height - 1) / 2) ** 2
    depth = distance.astype(np.float64) * FOCAL_LENGTH / np.sqrt(squared + FOCAL_LENGTH**2)
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)


def tone_map(color: Float[np.ndarray, "H W 3"], entity: Int[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
    """RGB from linear radiance, exposed so that where there is geometry (entity not -1) the 90th percentile of the
    brightness becomes 0.8 after a gamma of 1/2.2: the rule of the authors' own preview images.
    """
    brightness = (color @ np.array([0.3, 0.59, 0.11], np.float32))[entity != -1]
    reference = np.percentile(brightness, 90) if brightness.size else 0.8**2.2
    scale = 0.8**2.2 / reference if reference >= 1e-4 else 0.0
    return (np.clip(scale * color, 0, 1) ** (1 / 2.2) * 255).round().astype(np.uint8)
