"""iBims-1: 100 indoor frames with laser-scanned depth, one MATLAB file each."""

from __future__ import annotations

import re

import numpy as np

from tr2m.data.decoding.decode import open_mat, pair
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.splits import select_split
from tr2m.errors import UserError
from tr2m.types import Frame

EXPECTED = "a file of ibims1_core_mat.zip with data.rgb, .depth, .mask_invalid and .mask_transp"


class IBims(ListedDataset):
    """Frames of 480x640; depth counts where neither `mask_invalid` nor `mask_transp` (glass, mirrors) is 0."""

    def index_frames(self) -> list[str]:
        self.folder = self.root / "ibims1_core_mat"
        if not self.folder.is_dir() and (raw := self.root / "ibims1_core_raw").is_dir():
            raise UserError(
                f"{raw}: got the release in PNG files, expected ibims1_core_mat beside it: the same frames, their "
                "depth in full precision. Fetch ibims1_core_mat.zip from the same record; docs/datasets.md says where."
            )
        matches = [re.fullmatch(r"(\w+)_(\d+)\.mat", path.name) for path in self.folder.glob("*.mat")]
        frames = select_split(self.split_file, self.split, [(match[1], int(match[2])) for match in matches if match])
        return [f"{scene_type}_{number:02d}" for scene_type, number in frames]

    def read_frame(self, index: int) -> Frame:
        path = self.folder / f"{self.sample_ids[index]}.mat"
        with open_mat(path, EXPECTED) as mat:
            data = mat["data"][0, 0]
            image, depth = data["rgb"], data["depth"].astype(np.float32)
            usable = (data["mask_invalid"] > 0) & (data["mask_transp"] > 0) & (depth > 0) & np.isfinite(depth)
        return pair(image, np.where(usable, depth, np.float32(0)), path, path)
