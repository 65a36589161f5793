"""iBims-1: 100 indoor frames with laser-scanned depth, one MATLAB file each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tr2m.data.captions import CaptionSource
from tr2m.data.decode import open_mat, pair
from tr2m.data.depth_dataset import DepthDataset, require_root
from tr2m.data.splits import select_split
from tr2m.types import Frame

EXPECTED = "a file of ibims1_core_mat.zip with data.rgb, .depth, .mask_invalid and .mask_transp"


class IBims(DepthDataset):
    """Frames of 480x640; depth counts where neither `mask_invalid` nor `mask_transp` (glass, mirrors) is 0.

    Args: those of DepthDataset, and `split_file`, a list in the form of `tr2m.data.splits`.
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
    ) -> None:
        self.folder = require_root(root, "iBims-1") / "ibims1_core_mat"
        matches = [re.fullmatch(r"(\w+)_(\d+)\.mat", path.name) for path in self.folder.glob("*.mat")]
        frames = select_split(split_file, split, [(match[1], int(match[2])) for match in matches if match])
        sample_ids = [f"{scene_type}_{number:02d}" for scene_type, number in frames]
        super().__init__(name, split, sample_ids, captions, input_size, depth_range)

    def read_frame(self, index: int) -> Frame:
        path = self.folder / f"{self.sample_ids[index]}.mat"
        with open_mat(path, EXPECTED) as mat:
            data = mat["data"][0, 0]
            image, depth = data["rgb"], data["depth"].astype(np.float32)
            usable = (data["mask_invalid"] * data["mask_transp"] > 0) & (depth > 0) & np.isfinite(depth)
        return pair(image, np.where(usable, depth, np.float32(0)), path, path)
