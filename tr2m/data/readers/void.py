"""VOID-1500: indoor sequences of a RealSense camera, with the lists of frames of the release."""

from __future__ import annotations

import re
from pathlib import Path

from tr2m.data.decoding.decode import read_image_and_depth
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.readers.listing import read_lines
from tr2m.data.splits import select_split
from tr2m.errors import UserError
from tr2m.types import Frame

UNITS_PER_METRE = 256.0
_LINE = re.compile(r"(?:.*/)?data/([^/]+)/image/([^/]+)\.png")


class VOID(ListedDataset):
    """Frames of 480x640 named by timestamps, depth as uint16 PNG, 256 units a metre, 0 where the sensor gave nothing.

    `validity_map` is not read: it marks the sparse points of depth completion, not the dense ground truth.
    """

    def index_frames(self) -> list[str]:
        self.release = self.home / "void_release"
        listed = listed_frames(self.release / f"void_1500/{self.split}_image.txt")
        frames = select_split(self.split_file, self.split, listed)
        return [f"void_1500/data/{sequence}/image/{timestamp}" for sequence, timestamp in frames]

    def read_frame(self, index: int) -> Frame:
        image_path = self.release / f"{self.sample_ids[index]}.png"
        depth_path = image_path.parent.with_name("ground_truth") / image_path.name
        return read_image_and_depth(image_path, depth_path, UNITS_PER_METRE)


def listed_frames(path: Path) -> list[tuple[str, str]]:
    """(sequence, timestamp) of every line of a list of images. Raises UserError for a line that is no such image."""
    frames = []
    for number, line in enumerate(read_lines(path, "a list of images of VOID-1500"), start=1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise UserError(f"{path}, line {number}: got {line!r}, expected .../data/<sequence>/image/<timestamp>.png")
        frames.append((match[1], match[2]))
    return frames
