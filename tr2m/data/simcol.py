"""SimCol3D: renderings of a colon, with the trajectories that the challenge trained and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tr2m.data.captions import CaptionSource
from tr2m.data.decode import read_image_and_depth
from tr2m.data.depth_dataset import DepthDataset, require_root
from tr2m.data.listing import numbered_files
from tr2m.data.splits import load_split, select_split
from tr2m.types import Frame

UNITS_PER_METRE = 255 * 256 / 0.2
"""The depth files reach from 0 to 20 cm in 65,280 steps."""


class SimCol(DepthDataset):
    """Frames of 475x475, FrameBuffer_NNNN.png (16-bit RGBA) beside Depth_NNNN.png; every pixel has depth.

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
        self.root = require_root(root, "SimCol")
        trajectories = dict.fromkeys(trajectory for trajectory, _ in load_split(split_file, split))
        found = {
            (trajectory, number)
            for trajectory in trajectories
            for number in numbered_files(self.root / trajectory, r"FrameBuffer_(\d{4})\.png").keys()
            & numbered_files(self.root / trajectory, r"Depth_(\d{4})\.png").keys()
        }
        frames = select_split(split_file, split, found)
        sample_ids = [f"{trajectory}/FrameBuffer_{number:04d}" for trajectory, number in frames]
        super().__init__(name, split, sample_ids, captions, input_size, depth_range)

    def read_frame(self, index: int) -> Frame:
        image_path = self.root / f"{self.sample_ids[index]}.png"
        depth_path = image_path.with_name(image_path.name.replace("FrameBuffer", "Depth"))
        return read_image_and_depth(image_path, depth_path, UNITS_PER_METRE)
