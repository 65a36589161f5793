"""Run the frozen networks over all training frames once, and store their outputs."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.loading import data_loader
from tr2m.data.mixing import UnreadableFrame
from tr2m.errors import UserError
from tr2m.feature_cache.find import NETWORKS
from tr2m.feature_cache.store import FeatureCache, image_sha256, wanted
from tr2m.models.contract import RescalingModel
from tr2m.types import unit_range

logger = logging.getLogger(__name__)

MB, GB = 1e6, 1e9


class FrameToEncode(NamedTuple):
    """A frame, and the kinds of features that are not there yet."""

    sample_id: str
    image: UInt8[Tensor, "3 H W"]
    image_hash: str
    lacking: list[str]


class FramesToEncode(Dataset):
    """The frames of a data set in their order, as training reads them."""

    def __init__(self, dataset: DepthDataset, caches: Sequence[FeatureCache]) -> None:
        self.dataset = dataset
        self.caches = list(caches)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> FrameToEncode | UnreadableFrame:
        try:
            # Only the caption is random.
            sample = self.dataset.training_sample(index, np.random.default_rng(0))
        except UserError as error:
            return UnreadableFrame(self.dataset.name, self.dataset.sample_ids[index], str(error))
        image_hash = image_sha256(sample.image)
        caches = wanted(self.caches, sample)
        lacking = [cache.kind for cache in caches if not cache.has(self.dataset, sample.sample_id, image_hash)]
        return FrameToEncode(sample.sample_id, sample.image, image_hash, lacking)


@dataclass(frozen=True)
class CacheFiller:
    """Fills `caches` with the outputs of the frozen networks of `model`.

    Args:
        batch_size: frames that a network takes at a time.
        workers: processes that read frames.
    """

    caches: Sequence[FeatureCache]
    model: RescalingModel
    device: torch.device
    batch_size: int
    workers: int

    def fill(self, datasets: Sequence[DepthDataset]) -> list[UnreadableFrame]:
        """Write what the caches lack of `datasets`; files that fit their frame stay. Returns the frames that cannot be
        read, which training replaces by others.

        Raises:
            UserError: the disk has less room than is needed; nothing was written.
        """
        self._announce(datasets)
        return [frame for dataset in datasets for frame in self._fill_one(dataset)]

    def _announce(self, datasets: Sequence[DepthDataset]) -> None:
        needed = 0
        for dataset in datasets:
            frames, image = len(dataset), torch.zeros(1, 3, *dataset.fixed_size, dtype=torch.uint8)
            for cache in self.caches:
                size = self._encode(cache, image).nbytes
                missing = sum(not cache.file(dataset, sample_id).exists() for sample_id in dataset.sample_ids)
                needed += missing * size
                what = f"{cache.kind} of {dataset.name}: {size / MB:.3g} MB a frame, {frames * size / GB:.3g} GB in all"
                logger.info("%s; %d of %d frames are not there yet", what, missing, frames)
        root = self.caches[0].root
        free = free_bytes(root)
        logger.info("%s: %.3g GB to write, %.3g GB are free", root, needed / GB, free / GB)
        if needed > free:
            raise UserError(
                f"cache.folder={root}: {needed / GB:.3g} GB are needed, {free / GB:.3g} GB are free; make room, name a "
                "folder on another disk, or cache less (cache.image_tokens=false)"
            )

    def _fill_one(self, dataset: DepthDataset) -> list[UnreadableFrame]:
        for cache in self.caches:
            cache.begin(dataset)
        frames = FramesToEncode(dataset, self.caches)
        loader = data_loader(frames, self.workers, batch_size=self.batch_size, collate_fn=list)
        unreadable: list[UnreadableFrame] = []
        with tqdm(total=len(dataset), desc=f"{dataset.name}: encode") as bar, ThreadPoolExecutor() as pool:
            for items in loader:
                frames = [item for item in items if isinstance(item, FrameToEncode)]
                unreadable += [item for item in items if isinstance(item, UnreadableFrame)]
                for cache in self.caches:
                    self._write(dataset, cache, [frame for frame in frames if cache.kind in frame.lacking], pool)
                bar.update(len(items))
        for cache in self.caches:
            cache.complete(dataset, [frame.sample_id for frame in unreadable])
        return unreadable

    def _write(
        self, dataset: DepthDataset, cache: FeatureCache, frames: list[FrameToEncode], pool: ThreadPoolExecutor
    ) -> None:
        if not frames:
            return
        sample_ids, images, hashes, _ = zip(*frames, strict=True)
        features = self._encode(cache, torch.stack(images))
        # As a list, which waits for all of them and raises what one of them raised.
        list(pool.map(partial(cache.write, dataset), sample_ids, hashes, features))

    @torch.no_grad()
    def _encode(self, cache: FeatureCache, images: UInt8[Tensor, "B 3 H W"]) -> Tensor:
        """The features of a batch in float16 on the host."""
        features = getattr(self.model, NETWORKS[cache.kind])(unit_range(images.to(self.device)))
        return features.half().cpu()


def free_bytes(folder: Path) -> int:
    """Of the disk that holds `folder`, which is made. Raises UserError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise UserError(f"cache.folder={folder}: {error.strerror}; name a folder that can be written to") from error
