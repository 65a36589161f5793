"""Several data sets in one epoch: homogeneous batches, all sets shuffled together, and the same order whenever asked
again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from tr2m.data.depth_dataset import DepthDataset
from tr2m.types import DepthBatch, DepthSample


class SampleKey(NamedTuple):
    """Names one training sample of one epoch."""

    epoch: int
    dataset: int
    index: int


class MixedDataset(Dataset):
    """Training samples of several data sets by key. What is random in a sample depends on (seed, key) and on nothing
    else, so that workers, restarts and batch order change nothing.
    """

    def __init__(self, datasets: Sequence[DepthDataset], seed: int) -> None:
        self.datasets = list(datasets)
        self.seed = seed

    def __getitem__(self, key: SampleKey) -> tuple[DepthDataset, DepthSample]:
        dataset = self.datasets[key.dataset]
        return dataset, dataset.training_sample(key.index, np.random.default_rng([self.seed, *key]))

    def sample_ids(self, keys: Sequence[SampleKey]) -> list[str]:
        return [self.datasets[key.dataset].sample_ids[key.index] for key in keys]


class MixedBatchSampler(Sampler[list[SampleKey]]):
    """Every frame of every data set once per epoch, in batches of one data set each, all batches shuffled together.

    Args:
        sizes: number of frames of each data set.
        batch_size: frames per batch; the last batch of a data set may be smaller.
        seed: together with the epoch it fixes the order.
    """

    def __init__(self, sizes: Sequence[int], batch_size: int, seed: int) -> None:
        self.sizes = list(sizes)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self.first_batch = 0

    def seek(self, epoch: int, first_batch: int) -> None:
        """Start the next iteration at batch `first_batch` of `epoch`: where a resumed run goes on."""
        self.epoch, self.first_batch = epoch, first_batch

    def batches_per_epoch(self) -> int:
        return sum(-(-size // self.batch_size) for size in self.sizes)

    def __len__(self) -> int:
        return self.batches_per_epoch() - self.first_batch

    def __iter__(self) -> Iterator[list[SampleKey]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        batches = []
        for dataset, size in enumerate(self.sizes):
            order = rng.permutation(size).tolist()
            keys = [SampleKey(self.epoch, dataset, index) for index in order]
            batches += [keys[start : start + self.batch_size] for start in range(0, size, self.batch_size)]
        for position in rng.permutation(len(batches))[self.first_batch :]:
            yield batches[position]


def collate(samples: Sequence[tuple[DepthDataset, DepthSample]]) -> DepthBatch:
    """Stack samples of one data set into a batch."""
    dataset = samples[0][0]
    parts = [sample for _, sample in samples]
    relative_depth = None
    if parts[0].relative_depth is not None:
        relative_depth = torch.stack([part.relative_depth for part in parts])
    return DepthBatch(
        dataset=dataset.name,
        depth_range=dataset.depth_range,
        image=torch.stack([part.image for part in parts]),
        depth=torch.stack([part.depth for part in parts]),
        valid=torch.stack([part.valid for part in parts]),
        captions=[part.caption for part in parts],
        sample_ids=[part.sample_id for part in parts],
        relative_depth=relative_depth,
    )
