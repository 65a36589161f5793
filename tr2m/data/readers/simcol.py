"""SimCol3D: renderings of a colon, with the trajectories that the challenge trained and tested on."""

from __future__ import annotations

from tr2m.data.decoding.decode import read_image_and_depth
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.readers.listing import numbered_files
from tr2m.data.splits import load_split, select_split
from tr2m.types import Frame, Unit

UNITS_PER_MM = 255 * 256 / 200
"""The depth files reach from 0 to 200 mm in 65,280 steps."""


class SimCol(ListedDataset):
    """Frames of 475x475, FrameBuffer_NNNN.png (16-bit RGBA) beside Depth_NNNN.png; every pixel has depth."""

    unit: Unit = "mm"

    def index_frames(self) -> list[str]:
        trajectories = dict.fromkeys(trajectory for trajectory, _ in load_split(self.split_file, self.split))
        found = {
            (trajectory, number)
            for trajectory in trajectories
            for number in numbered_files(self.home / trajectory, r"FrameBuffer_(\d{4})\.png").keys()
            & numbered_files(self.home / trajectory, r"Depth_(\d{4})\.png").keys()
        }
        frames = select_split(self.split_file, self.split, found)
        return [f"{trajectory}/FrameBuffer_{number:04d}" for trajectory, number in frames]

    def read_frame(self, index: int) -> Frame:
        image_path = self.home / f"{self.sample_ids[index]}.png"
        depth_path = image_path.with_name(image_path.name.replace("FrameBuffer", "Depth"))
        return read_image_and_depth(image_path, depth_path, UNITS_PER_MM)
