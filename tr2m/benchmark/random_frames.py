"""Frames of any size without files: random pixels, lidar-like depth, a caption each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from tr2m.data.captions.files import CaptionSource
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.mixing import collate
from tr2m.types import DepthBatch, Frame

# Share of pixels with ground truth; KITTI's accumulated scans have about as many.
SHARE = 0.2
METRES = (1.0, 9.0)


class NumberedCaptions:
    """Fifteen sentences about every frame, as RSA's captions are, all of them different."""

    description = "numbered sentences"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return [f"sentence {number} about a room with a table and two chairs, {sample_id}" for number in range(15)]


@dataclass(kw_only=True, eq=False)
class RandomFrames(DepthDataset):
    """`count` frames of `input_size`, always the same ones."""

    count: int
    name: str = "random"
    split: str = "train"
    captions: CaptionSource = field(default_factory=NumberedCaptions)
    depth_range: Sequence[float] = (1e-3, 10.0)

    def index_frames(self) -> list[str]:
        return [f"{self.name}/{number}" for number in range(self.count)]

    def read_frame(self, index: int) -> Frame:
        rng = np.random.default_rng(index)
        depth = rng.uniform(*METRES, self.fixed_size).astype(np.float32)
        depth[rng.random(self.fixed_size) > SHARE] = 0
        return Frame(rng.integers(0, 256, (*self.fixed_size, 3), dtype=np.uint8), depth)


def random_batch(size: Sequence[int], batch_size: int, device: torch.device) -> DepthBatch:
    """The first `batch_size` random frames, on the device."""
    return first_batch(RandomFrames(count=batch_size, input_size=size), batch_size, device)


def first_batch(dataset: DepthDataset, batch_size: int, device: torch.device) -> DepthBatch:
    """The first `batch_size` training samples of `dataset`, on the device."""
    rng = np.random.default_rng(0)
    return collate([(dataset, dataset.training_sample(index, rng)) for index in range(batch_size)]).to(device)
