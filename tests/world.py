"""A data set for tests that is known by heart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tr2m.data.depth_dataset import DepthDataset
from tr2m.types import Frame


class OneCaption:
    description = "one sentence"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return [f"a flat wall, {sample_id}", f"a wall, {sample_id}"]


class Flat(DepthDataset):
    """Frame i is a wall at `depths[i]` metres with ground truth in its first `pixels[i]` pixels; 6x8 pixels."""

    def __init__(self, depths: Sequence[float], pixels: Sequence[int], name: str = "flat") -> None:
        self.depths, self.pixels = list(depths), list(pixels)
        super().__init__(name=name, split="test", captions=OneCaption(), input_size=(28, 42), depth_range=(1e-3, 10.0))

    def index_frames(self) -> list[str]:
        return [f"{self.name}/{index}" for index in range(len(self.depths))]

    def read_frame(self, index: int) -> Frame:
        depth = np.zeros((6, 8), np.float32)
        depth.reshape(-1)[: self.pixels[index]] = self.depths[index]
        image = np.random.default_rng(index).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        return Frame(image, depth)
