"""iBims-1: 100 indoor frames with laser-scanned depth, one MATLAB file each, or PNG files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tr2m.data.decoding.decode import open_mat, pair, read_depth_units, read_image
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.readers.listing import read_lines
from tr2m.data.splits import select_split
from tr2m.errors import UserError
from tr2m.types import Frame

EXPECTED = "a file of ibims1_core_mat.zip with data.rgb, .depth, .mask_invalid and .mask_transp"


UNITS_PER_METRE = 65535 / 50
"""Of the PNG files."""


@dataclass(kw_only=True, eq=False)
class IBims(ListedDataset):
    """Frames of 480x640; depth counts where neither `mask_invalid` nor `mask_transp` (glass, mirrors) is 0."""

    release: Literal["ibims1_core_mat", "ibims1_core_raw"] = "ibims1_core_mat"
    """Depth in full precision, or in 16-bit PNG files."""

    def index_frames(self) -> list[str]:
        self.folder = self.home / self.release
        names = self.raw_names() if self.release == "ibims1_core_raw" else self.mat_names()
        matches = [re.fullmatch(r"(\w+)_(\d+)", name) for name in names]
        frames = select_split(self.split_file, self.split, [(match[1], int(match[2])) for match in matches if match])
        return [f"{scene_type}_{number:02d}" for scene_type, number in frames]

    def conditions(self) -> dict[str, object]:
        return {**super().conditions(), "release": self.release}

    def raw_names(self) -> list[str]:
        return [line.strip() for line in read_lines(self.folder / "imagelist.txt", "the names of ibims1_core_raw")]

    def mat_names(self) -> list[str]:
        if not self.folder.is_dir() and (raw := self.home / "ibims1_core_raw").is_dir():
            raise UserError(
                f"{raw}: got the release in PNG files, expected ibims1_core_mat beside it: the same frames, their "
                "depth in full precision. Fetch ibims1_core_mat.zip from the same record; docs/datasets.md says where. "
                "protocol=released reads this one."
            )
        return [path.stem for path in self.folder.glob("*.mat")]

    def read_frame(self, index: int) -> Frame:
        return self.read_raw(index) if self.release == "ibims1_core_raw" else self.read_mat(index)

    def read_raw(self, index: int) -> Frame:
        image_path, depth_path, *mask_paths = (
            self.folder / kind / f"{self.sample_ids[index]}.png"
            for kind in ("rgb", "depth", "mask_invalid", "mask_transp")
        )
        image, depth = read_image(image_path), read_depth_units(depth_path).astype(np.float32)
        for path in mask_paths:
            mask = pair(image, read_image(path)[..., 0].astype(np.float32), image_path, path).depth
            depth = np.where(mask > 0, depth, np.float32(0))
        return pair(image, depth / np.float32(UNITS_PER_METRE), image_path, depth_path)

    def read_mat(self, index: int) -> Frame:
        path = self.folder / f"{self.sample_ids[index]}.mat"
        with open_mat(path, EXPECTED) as mat:
            data = mat["data"][0, 0]
            image, depth = data["rgb"], data["depth"].astype(np.float32)
            usable = (data["mask_invalid"] > 0) & (data["mask_transp"] > 0) & (depth > 0) & np.isfinite(depth)
        return pair(image, np.where(usable, depth, np.float32(0)), path, path)
