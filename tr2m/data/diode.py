"""DIODE Outdoor: laser-scanned street and park scenes, from the data set's validation archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tr2m.data.captions import CaptionSource
from tr2m.data.decode import pair, read_npy, read_rgb
from tr2m.data.depth_dataset import DepthDataset, require_root
from tr2m.data.splits import select_split
from tr2m.types import Frame


class DIODEOutdoor(DepthDataset):
    """Frames of 768x1024: a PNG, float metres in `_depth.npy`, and `_depth_mask.npy`, 1 where depth is trusted.

    Args: those of DepthDataset, `split_file`, which states how many frames each scene has, and `use_mask`: False takes
        all depth above 0, flying pixels at edges included, as published results do.
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
        use_mask: bool = True,
    ) -> None:
        self.folder = require_root(root, "DIODE") / split / "outdoor"
        self.use_mask = use_mask
        found = sorted(path.relative_to(self.folder) for path in self.folder.glob("scene_*/scan_*/*.png"))
        frames = select_split(split_file, split, [(path.parts[0], str(path.with_suffix(""))) for path in found])
        super().__init__(name, split, [sample_id for _, sample_id in frames], captions, input_size, depth_range)

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "use_mask": self.use_mask}

    def read_frame(self, index: int) -> Frame:
        image_path, depth_path, mask_path = (
            self.folder / f"{self.sample_ids[index]}{end}" for end in (".png", "_depth.npy", "_depth_mask.npy")
        )
        depth = read_npy(depth_path).squeeze().astype(np.float32)
        usable = np.isfinite(depth) & (depth > 0)
        frame = pair(read_rgb(image_path), np.where(usable, depth, np.float32(0)), image_path, depth_path)
        if not self.use_mask:
            return frame
        mask = pair(frame.image, read_npy(mask_path).squeeze().astype(np.float32), image_path, mask_path).depth
        return Frame(frame.image, np.where(mask > 0, frame.depth, np.float32(0)))
