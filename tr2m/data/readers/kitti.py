"""KITTI: raw drives with the annotated depth of the depth benchmark, cropped to the benchmark's frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tr2m.data.decoding.decode import read_image_and_depth
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.splits import load_split
from tr2m.errors import UserError
from tr2m.types import Frame

UNITS_PER_METRE = 256.0
CROP_HEIGHT, CROP_WIDTH = 352, 1216


@dataclass(kw_only=True, eq=False)
class KITTI(ListedDataset):
    """Frames of the left colour camera with lidar depth, uint16 PNG, 256 units a metre; cropped to 352x1216.

    Images: `<root>/raw/<date>/<drive>_sync/image_02/data/`. Depth: `<root>/annotated/<drive>_sync/proj_depth/`, the
    archive's `train/` and `val/` merged or not.
    """

    ground_truth: str = "groundtruth"
    """The accumulated, filtered scans ("groundtruth") or the single scan ("velodyne_raw"): results do not compare."""

    def index_frames(self) -> list[str]:
        if self.ground_truth not in ("groundtruth", "velodyne_raw"):
            raise UserError(f"KITTI: got ground_truth {self.ground_truth!r}, expected groundtruth or velodyne_raw.")
        frames = load_split(self.split_file, self.split)
        return [f"{drive[:10]}/{drive}_sync/image_02/data/{number:010d}" for drive, number in frames]

    def conditions(self) -> dict[str, object]:
        return {**super().conditions(), "ground_truth": self.ground_truth}

    def read_frame(self, index: int) -> Frame:
        sample_id = self.sample_ids[index]
        image_path = self.home / "raw" / f"{sample_id}.png"
        return kitti_benchmark_crop(read_image_and_depth(image_path, self.depth_path(sample_id), UNITS_PER_METRE))

    def depth_path(self, sample_id: str) -> Path:
        """The depth file of a frame, wherever the archive's part was unpacked. Raises UserError if it is nowhere."""
        _, drive, camera, _, number = sample_id.split("/")
        below = f"{drive}/proj_depth/{self.ground_truth}/{camera}/{number}.png"
        candidates = [self.home / "annotated" / part / below for part in ("", "train", "val")]
        for path in candidates:
            if path.exists():
                return path
        raise UserError(
            f"no file {candidates[0]}, nor below annotated/train or annotated/val: expected the depth of {sample_id}. "
            "Unpack data_depth_annotated.zip (or data_depth_velodyne.zip) into annotated/, as docs/datasets.md shows."
        )


def kitti_benchmark_crop(frame: Frame) -> Frame:
    """The lower, horizontally centred 352x1216 of a frame, which every drive has. Raises UserError if it is smaller."""
    height, width = frame.depth.shape
    if height < CROP_HEIGHT or width < CROP_WIDTH:
        raise UserError(
            f"KITTI: got a frame of {height}x{width}, expected at least {CROP_HEIGHT}x{CROP_WIDTH} (height x width). "
            "Use the frames as published, not resized ones."
        )
    top, left = height - CROP_HEIGHT, (width - CROP_WIDTH) // 2
    window = slice(top, height), slice(left, left + CROP_WIDTH)
    return Frame(frame.image[window], frame.depth[window])
