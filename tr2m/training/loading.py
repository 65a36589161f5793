"""The loader of training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch.utils.data import DataLoader

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.loading import data_loader
from tr2m.data.mixing import MixedBatchSampler, MixedDataset, collate_step
from tr2m.feature_cache.cached_dataset import CachedDataset
from tr2m.feature_cache.store import FeatureCache


def training_loader(
    datasets: Sequence[DepthDataset],
    sampler: MixedBatchSampler,
    seed: int,
    parts: int,
    workers: int,
    device: torch.device,
    caches: Sequence[FeatureCache] = (),
) -> DataLoader:
    """StepBatches of at most `parts` batches each, in the order of `sampler`, read by `workers` processes (0: by this
    one) for `device`, with what `caches` hold.
    """
    return data_loader(
        CachedDataset(MixedDataset(datasets, seed), caches),
        workers,
        batch_sampler=sampler,
        collate_fn=partial(collate_step, parts=parts),
        pin_memory=device.type == "cuda",
    )
