"""Several data sets in one epoch: batches of one data set each, mixed in one of two ways, and the same order whenever
asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Sampler, default_collate

from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.types import DepthBatch, DepthSample

REPLACEMENTS = 10

Mixing = Literal["proportional", "round_robin"]


class SampleKey(NamedTuple):
    """Names one training sample of one epoch."""

    epoch: int
    dataset: int
    index: int
    round: int = 0
    """How often the epoch has already seen the whole data set: the frame is drawn anew each time."""


class UnreadableFrame(NamedTuple):
    """A frame that could not be read, and was replaced."""

    dataset: str
    sample_id: str
    reason: str


class TrainingSample(NamedTuple):
    """A sample with its data set, and what could not be read before it was found."""

    dataset: DepthDataset
    sample: DepthSample
    unreadable: list[UnreadableFrame]


class MixedDataset(Dataset):
    """Training samples of several data sets by key. What is random in a sample depends on (seed, key) and on nothing
    else, so that workers, restarts and batch order change nothing. A frame that cannot be read is replaced by the
    next one that can; an index past the end of its data set starts again at the first frame.
    """

    def __init__(self, datasets: Sequence[DepthDataset], seed: int) -> None:
        self.datasets = list(datasets)
        self.seed = seed

    def __getitem__(self, key: SampleKey) -> TrainingSample:
        """Raises UserError, the last frame's, if none of REPLACEMENTS frames in a row can be read."""
        dataset = self.datasets[key.dataset]
        unreadable: list[UnreadableFrame] = []
        while True:
            index = (key.index + len(unreadable)) % len(dataset)
            try:
                sample = dataset.training_sample(index, np.random.default_rng([self.seed, *key]))
            except UserError as error:
                unreadable.append(UnreadableFrame(dataset.name, dataset.sample_ids[index], str(error)))
                if len(unreadable) == min(REPLACEMENTS, len(dataset)):
                    raise
            else:
                return TrainingSample(dataset, sample, unreadable)


def frame_digests(datasets: Sequence[DepthDataset]) -> dict[str, str]:
    """`frames_digest` of each data set."""
    return {dataset.name: dataset.frames_digest() for dataset in datasets}


def batches_of_each(sizes: Sequence[int], batch_size: int, mixing: Mixing) -> list[int]:
    """How many batches an epoch has of each of the data sets, which have `sizes` frames."""
    own = [-(-size // batch_size) for size in sizes]
    return own if mixing == "proportional" else [max(own)] * len(own)


class MixedBatchSampler(Sampler[list[SampleKey]]):
    """The batches of an epoch, each of one data set.

    "proportional": every frame of every data set once, all batches shuffled together. "round_robin": a batch of each
    data set in turn; a shorter one is shuffled anew and starts again, until the longest has been seen whole.

    Several processes see the same batches, each its own frames of them: their number changes nothing in the order. A
    small last batch may leave a process without a frame.

    Args:
        sizes: number of frames of each data set, at least 1.
        batch_size: frames per batch of all processes; the last batch of a round through a data set may be smaller.
        mixing: how often and in which order the data sets come.
        seed: together with the epoch it fixes the order.
        process, processes: which of how many this one is.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        batch_size: int,
        mixing: Mixing,
        seed: int,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        self.sizes = list(sizes)
        self.batch_size = batch_size
        self.mixing: Mixing = mixing
        self.seed = seed
        self.process, self.processes = process, processes
        self.epoch = 0
        self.first_batch = 0

    def seek(self, epoch: int, first_batch: int) -> None:
        """Start the next iteration at batch `first_batch` of `epoch`: where a resumed run continues."""
        self.epoch, self.first_batch = epoch, first_batch

    def batches_per_epoch(self) -> int:
        return sum(batches_of_each(self.sizes, self.batch_size, self.mixing))

    def __len__(self) -> int:
        return self.batches_per_epoch() - self.first_batch

    def __iter__(self) -> Iterator[list[SampleKey]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        counts = batches_of_each(self.sizes, self.batch_size, self.mixing)
        of_each = [list(islice(self._rounds(dataset, rng), number)) for dataset, number in enumerate(counts)]
        if self.mixing == "proportional":
            batches = [batch for own in of_each for batch in own]
            batches = [batches[position] for position in rng.permutation(len(batches))]
        else:
            batches = [batch for turn in zip(*of_each, strict=True) for batch in turn]
        for batch in batches[self.first_batch :]:
            yield batch[self.process :: self.processes]

    def _rounds(self, dataset: int, rng: np.random.Generator) -> Iterator[list[SampleKey]]:
        """The batches of a data set, shuffled, then shuffled again, without end."""
        for round_ in count():
            order = rng.permutation(self.sizes[dataset]).tolist()
            keys = [SampleKey(self.epoch, dataset, index, round_) for index in order]
            yield from (keys[start : start + self.batch_size] for start in range(0, len(keys), self.batch_size))


class StepBatches(NamedTuple):
    """What one process has to do in one step."""

    batches: list[DepthBatch]
    """The parts to accumulate; none if the step leaves nothing for this process."""
    unreadable: list[UnreadableFrame]


def collate_step(samples: Sequence[TrainingSample], parts: int) -> StepBatches:
    """Deal the samples of one step out to at most `parts` batches of nearly equal size."""
    batches = [collate([sample[:2] for sample in samples[part::parts]]) for part in range(parts) if samples[part:]]
    return StepBatches(batches, [frame for sample in samples for frame in sample.unreadable])


def collate(samples: Sequence[tuple[DepthDataset, DepthSample]]) -> DepthBatch:
    """Stack samples of one data set into a batch.

    A loader's process stacks into memory that it shares with the trainer (`default_collate`). Stacked elsewhere first,
    its own copies of some forty batches would stay behind: half a GiB a process at KITTI's size.
    """
    dataset = samples[0][0]
    parts = [sample for _, sample in samples]

    def stacked(name: str) -> Tensor | None:
        features = [getattr(part, name) for part in parts]
        return None if features[0] is None else default_collate(features)

    return DepthBatch(
        dataset=dataset.name,
        unit=dataset.unit,
        depth_range=(dataset.depth_range[0], dataset.depth_range[1]),
        # Their bytes lie pixel by pixel, as decoders write them: stacked so, they are copied in one go.
        image=default_collate([part.image.permute(1, 2, 0) for part in parts]).permute(0, 3, 1, 2),
        depth=default_collate([part.depth for part in parts]),
        valid=default_collate([part.valid for part in parts]),
        captions=[part.caption for part in parts],
        sample_ids=[part.sample_id for part in parts],
        relative_depth=stacked("relative_depth"),
        image_tokens=stacked("image_tokens"),
    )
