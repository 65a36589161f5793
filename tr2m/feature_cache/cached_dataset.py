"""Training samples with the outputs of frozen networks from the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch.utils.data import Dataset

from tr2m.data.mixing import MixedDataset, SampleKey, TrainingSample
from tr2m.feature_cache.store import FeatureCache, image_sha256, wanted


class CachedDataset(Dataset):
    """The samples of `samples`, each with what `caches` hold of its frame and it does not have itself."""

    def __init__(self, samples: MixedDataset, caches: Sequence[FeatureCache]) -> None:
        self.samples = samples
        self.caches = list(caches)

    def __getitem__(self, key: SampleKey) -> TrainingSample:
        """Raises UserError as `samples` does, and where features are missing, damaged or of another image."""
        found = self.samples[key]
        dataset, sample = found.dataset, found.sample
        caches = wanted(self.caches, sample)
        if not caches:
            return found
        image_hash = image_sha256(sample.image)
        features = {cache.kind: cache.read(dataset, sample.sample_id, image_hash) for cache in caches}
        return found._replace(sample=replace(sample, **features))
