"""HyperSim: rendered indoor scenes; distances along the rays become depth along the optical axis here."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tr2m.data.decoding.decode import pair, read_image
from tr2m.data.decoding.frame_size import require_same_size
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.readers.hypersim_files import planar_depth, read_dataset, read_tone_mapped
from tr2m.data.readers.listing import read_lines
from tr2m.data.splits import select_split
from tr2m.data.transforms import resized_first
from tr2m.errors import UserError
from tr2m.limits import Size
from tr2m.types import Frame

LIST = "metadata_images_split_scene_v1.csv"


@dataclass(kw_only=True, eq=False)
class HyperSim(ListedDataset):
    """Frames of 768x1024 that the authors' list includes in the public release."""

    image: Literal["color", "preview"] = "color"
    """ "color" tone-maps the HDR rendering, "preview" is the authors' JPEG of the same."""
    mask_without_entity: bool = False
    """No depth where render_entity_id is -1, which means no geometry, whatever distance is stored there."""
    every_preview: bool = False
    """Frames are all whose preview is found, whatever the authors' list holds; there is no count to check."""
    image_size: Size | None = None
    """(height, width) that the image, not the depth, is first resized to; None: as it is."""

    def index_frames(self) -> list[str]:
        if self.every_preview:
            return found_previews(self.home)
        frames = select_split(self.split_file, self.split, listed_frames(self.home / LIST, self.split))
        return ["/".join(frame) for frame in frames]

    def conditions(self) -> dict[str, object]:
        options = ("image", "every_preview", "image_size", "mask_without_entity")
        return {**super().conditions(), **{option: getattr(self, option) for option in options}}

    def read_frame(self, index: int) -> Frame:
        scene, camera, number = self.sample_ids[index].split("/")
        images, frame_name = self.home / scene / "images", f"frame.{number}"
        depth_path = images / f"scene_{camera}_geometry_hdf5/{frame_name}.depth_meters.hdf5"
        entity_path = depth_path.with_name(f"{frame_name}.render_entity_id.hdf5")
        if self.image == "preview":
            image_path = images / f"scene_{camera}_final_preview/{frame_name}.tonemap.jpg"
            image = read_image(image_path)
        else:
            image_path = images / f"scene_{camera}_final_hdf5/{frame_name}.color.hdf5"
            image = read_tone_mapped(image_path, entity_path)
        depth = planar_depth(read_dataset(depth_path, 2))
        if self.mask_without_entity:
            entity = read_dataset(entity_path, 2)
            require_same_size(entity.shape, depth.shape, entity_path, depth_path)
            depth = np.where(entity == -1, np.float32(0), depth)
        frame = pair(image, depth, image_path, depth_path)
        return resized_first(frame, self.image_size)


def found_previews(root: Path) -> list[str]:
    """scene/camera/number of every tone-mapped JPEG below `root`, sorted. Raises UserError if there is none."""
    pattern = re.compile(r"(.+)/images/scene_(\w+)_final_preview/frame\.(\d{4})\.tonemap\.jpg")
    found = (path.relative_to(root).as_posix() for path in root.glob("*/images/*/frame.*.tonemap.jpg"))
    names = sorted("/".join(match.groups()) for name in found if (match := pattern.fullmatch(name)))
    if not names:
        raise UserError(f"{root}: no file */images/scene_*_final_preview/frame.*.tonemap.jpg; unpack the scenes there")
    return names


def listed_frames(path: Path, split: str) -> list[tuple[str, str]]:
    """(scene, camera/number) of each released frame of a split. Raises UserError if the list lacks a column."""
    rows = csv.DictReader(read_lines(path, f"{LIST} of github.com/apple/ml-hypersim"), strict=True)
    try:
        return [
            (row["scene_name"], f"{row['camera_name']}/{int(row['frame_id']):04d}")
            for row in rows
            if row["included_in_public_release"] == "True" and row["split_partition_name"] == split
        ]
    except (KeyError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path}, line {rows.line_num}: expected the authors' list as published, got {error}."
        ) from error
