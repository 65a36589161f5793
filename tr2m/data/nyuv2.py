"""NYU Depth V2 as it is customarily trained and tested on: the folders `sync` and `official_splits`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tr2m.data.captions import CaptionSource
from tr2m.data.decode import read_image_and_depth
from tr2m.data.depth_dataset import DepthDataset, require_root
from tr2m.data.splits import load_split
from tr2m.types import Frame

UNITS_PER_METRE = 1000.0


class NYUv2(DepthDataset):
    """Kinect frames of 480x640, rgb_NNNNN.jpg (or .png) beside sync_depth_NNNNN.png, uint16 millimetres.

    The test split lies in `<root>/official_splits/test/<scene type>`, every other one in `<root>/sync/<scene>`.
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
        self.folder = require_root(root, "NYUv2") / ("official_splits/test" if split == "test" else "sync")
        sample_ids = [f"{scene}/rgb_{number:05d}" for scene, number in load_split(split_file, split)]
        super().__init__(name, split, sample_ids, captions, input_size, depth_range)

    def read_frame(self, index: int) -> Frame:
        sample_id = self.sample_ids[index]
        png = self.folder / f"{sample_id}.png"
        image_path = png if png.exists() else png.with_suffix(".jpg")
        depth_path = self.folder / f"{sample_id.replace('/rgb_', '/sync_depth_')}.png"
        frame = read_image_and_depth(image_path, depth_path, UNITS_PER_METRE)
        return frame if self.split == "test" else Frame(frame.image, without_warp_border(frame.depth))


def without_warp_border(depth: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    """Depth in metres, 0 outside rows 45:472 and columns 43:608.

    Outside, aligning the two cameras left depth without colour; the field does not train there.
    """
    inside = np.zeros_like(depth)
    inside[45:472, 43:608] = depth[45:472, 43:608]
    return inside
