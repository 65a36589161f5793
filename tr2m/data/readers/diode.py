"""DIODE Outdoor: laser-scanned street and park scenes, from the data set's validation archive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tr2m.data.decoding.arrays import read_npy
from tr2m.data.decoding.decode import pair, read_depth_array, read_image
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.splits import select_split
from tr2m.data.transforms import resized_first
from tr2m.limits import Size
from tr2m.types import Frame


@dataclass(kw_only=True, eq=False)
class DIODEOutdoor(ListedDataset):
    """Frames of 768x1024: a PNG, float metres in `_depth.npy`, and `_depth_mask.npy`, 1 where depth is trusted."""

    use_mask: bool = True
    """False takes all depth above 0, flying pixels at edges included, as published results do."""
    image_size: Size | None = None
    """(height, width) that the image, not the depth, is first resized to; None: as it is."""

    def index_frames(self) -> list[str]:
        self.folder = self.home / self.split / "outdoor"
        found = sorted(path.relative_to(self.folder) for path in self.folder.glob("scene_*/scan_*/*.png"))
        frames = [(path.parts[0], str(path.with_suffix(""))) for path in found]
        return [sample_id for _, sample_id in select_split(self.split_file, self.split, frames)]

    def conditions(self) -> dict[str, object]:
        return {**super().conditions(), "use_mask": self.use_mask, "image_size": self.image_size}

    def read_frame(self, index: int) -> Frame:
        image_path, depth_path, mask_path = (
            self.folder / f"{self.sample_ids[index]}{end}" for end in (".png", "_depth.npy", "_depth_mask.npy")
        )
        depth = read_depth_array(depth_path).astype(np.float32)
        usable = np.isfinite(depth) & (depth > 0)
        frame = pair(read_image(image_path), np.where(usable, depth, np.float32(0)), image_path, depth_path)
        if self.use_mask:
            mask = pair(frame.image, read_npy(mask_path).squeeze().astype(np.float32), image_path, mask_path).depth
            frame = Frame(frame.image, np.where(mask > 0, frame.depth, np.float32(0)))
        return resized_first(frame, self.image_size)
