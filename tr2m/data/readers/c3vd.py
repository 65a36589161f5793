"""C3VD: colonoscopy of a silicone colon with rendered depth, from its first release or from the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from tr2m.data.decoding.decode import pair, read_depth_units, read_image
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.readers.c3vd_releases import find_frames
from tr2m.data.splits import load_split, select_split
from tr2m.errors import UserError
from tr2m.limits import Length, NonNegativeInt
from tr2m.types import Frame, Unit

CLIPPED = 65535
UNITS_PER_MM = CLIPPED / 100
BLACK = 10
"""Of 255: not brighter is no picture. Not in the paper."""


@dataclass(kw_only=True, eq=False)
class C3VD(ListedDataset):
    """Frames of 1080x1350 with depth along the optical axis, uint16 TIFF; 0 and 65535 (100 mm, clipped) are unknown."""

    unit: Unit = field(init=False, default="mm")
    crop: Annotated[Sequence[NonNegativeInt], Length(4, "(top, bottom, left, right) in pixels")] | None
    """Rows and columns (top, bottom, left, right) that are kept of image and depth, or None for all."""
    mask_corners: bool
    """No depth in the black corners around the fisheye picture."""

    def index_frames(self) -> list[str]:
        videos = dict.fromkeys(video for video, _ in load_split(self.split_file, self.split))
        files = {(video, number): paths for video in videos for number, paths in find_frames(self.home, video).items()}
        frames = select_split(self.split_file, self.split, files)
        self.paths = [files[frame] for frame in frames]
        return [f"{video}/{number:04d}" for video, number in frames]

    def conditions(self) -> dict[str, object]:
        return {**super().conditions(), "crop": self.crop, "mask_corners": self.mask_corners}

    def read_frame(self, index: int) -> Frame:
        image_path, depth_path = self.paths[index]
        image, units = read_image(image_path), read_depth_units(depth_path)
        depth = np.where(units < CLIPPED, units, 0).astype(np.float32) / np.float32(UNITS_PER_MM)
        frame = pair(image, depth, image_path, depth_path)
        if self.mask_corners:
            frame = Frame(image, np.where(black_corners(image), np.float32(0), depth))
        if self.crop is None:
            return frame
        top, bottom, left, right = self.crop
        if not (top < bottom <= depth.shape[0] and left < right <= depth.shape[1]):
            raise UserError(f"{image_path}: got {depth.shape} pixels, of which crop={[*self.crop]} is no part.")
        return Frame(frame.image[top:bottom, left:right], frame.depth[top:bottom, left:right])


def black_corners(image: UInt8[np.ndarray, "H W 3"]) -> Bool[np.ndarray, "H W"]:
    """The black regions that touch a corner of the frame.

    Found in the picture, since the release states no radius of the fisheye circle for an analytic one.
    """
    dark = (image.max(axis=2) <= BLACK).astype(np.uint8)
    _, labels = cv2.connectedComponents(dark, connectivity=4)
    corners = {labels[row, column] for row in (0, -1) for column in (0, -1)} - {0}
    return np.isin(labels, list(corners))
