"""The loader of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

import torch
from torch.utils.data import DataLoader

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.loading import data_loader
from tr2m.data.mixing import MixedBatchSampler, MixedDataset, StepBatches, collate_step
from tr2m.feature_cache.cached_dataset import CachedDataset
from tr2m.feature_cache.store import FeatureCache

STEPS_AHEAD = 8
"""The captions of so many steps are encoded together: a text encoder's kernels are too small for a few."""


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


def with_captions_ahead(
    steps: Iterable[StepBatches], keep: Callable[[Sequence[str]], None], device: torch.device
) -> Iterator[StepBatches]:
    """`steps`, each after its captions went to `keep` (`RescalingModel.keep_captions`): on CUDA those of STEPS_AHEAD
    steps, which are then all loaded, at once; elsewhere nothing is gained, and a step's come when it does.
    """
    ahead, remaining = STEPS_AHEAD if device.type == "cuda" else 1, iter(steps)
    while window := list(islice(remaining, ahead)):
        keep([caption for step in window for batch in step.batches for caption in batch.captions])
        yield from window
