"""Frames from files, through the loader of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import torch

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.mixing import MixedBatchSampler
from tr2m.distributed import process_count, process_rank
from tr2m.errors import UserError
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.feature_cache.store import FeatureCache
from tr2m.training.loading import training_loader
from tr2m.types import DepthBatch


def training_sets(settings: BenchmarkSettings) -> list[DepthDataset]:
    """The training splits of `data`."""
    entries = [entry for entry in settings.data.datasets.values() if entry.train_split is not None]
    return [entry.read_training(settings.augmentation) for entry in entries]


def real_steps(
    dataset: DepthDataset,
    steps: int,
    batch_size: int,
    workers: int,
    device: torch.device,
    caches: Sequence[FeatureCache] = (),
) -> Iterator[list[DepthBatch]]:
    """This process's part of `steps` whole batches of all processes together, shuffled as in training.

    Raises UserError at a frame that cannot be read: its replacement would be timed in its place.
    """
    # Frames in whole batches. MixedDataset starts again where a data set ends.
    frames = max(-(-len(dataset) // batch_size), steps) * batch_size
    sampler = MixedBatchSampler([frames], batch_size, "proportional", 0, process_rank(), process_count())
    loader = training_loader([dataset], sampler, seed=0, parts=1, workers=workers, device=device, caches=caches)
    for batches, unreadable in islice(loader, steps):
        if unreadable:
            raise UserError(f"{dataset.name}: {unreadable[0].reason}")
        yield batches
