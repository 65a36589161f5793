"""NYU Depth V2 as it is customarily trained and tested on: the folders `sync` and `official_splits`."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from tr2m.data.decoding.decode import read_image_and_depth
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.splits import load_split
from tr2m.types import Frame

UNITS_PER_METRE = 1000.0


class NYUv2(ListedDataset):
    """Kinect frames of 480x640, rgb_NNNNN.jpg (or .png) beside sync_depth_NNNNN.png, uint16 millimetres.

    The test split lies in `<root>/official_splits/test/<scene type>`, every other one in `<root>/sync/<scene>`.
    """

    def index_frames(self) -> list[str]:
        self.folder = self.home / ("official_splits/test" if self.split == "test" else "sync")
        return [f"{scene}/rgb_{number:05d}" for scene, number in load_split(self.split_file, self.split)]

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
