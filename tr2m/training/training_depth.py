"""Whether the depth that is trained on can be right: a wrong unit or an empty folder must not train for days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.depth_histogram import DepthHistogram, measured_depth
from tr2m.data.sampling import choose_frames
from tr2m.errors import UserError

FRAMES = 32
"""Of a data set are looked at, at first one of every folder: enough for a median, and read in about a second."""


class TrainingDepth:
    """Looks at the depth of each training set once."""

    def __init__(self, datasets: Sequence[DepthDataset], seed: int) -> None:
        self.seed = seed
        self._unseen = {dataset.name: dataset for dataset in datasets}

    def check(self, names: Iterable[str]) -> None:
        """Raise UserError, with the histogram, if the depth of one of these data sets cannot be right."""
        for name in names:
            if dataset := self._unseen.pop(name, None):
                check_depth(dataset, choose_frames(dataset.sample_ids, FRAMES, self.seed))


def check_depth(dataset: DepthDataset, indices: Sequence[int]) -> None:
    """Raise UserError if these frames have no depth at all, depth that is negative or not finite, most of it outside
    the training range, or a median that the data set cannot have. Few measured pixels are no fault; nor are frames
    without any, or that cannot be read, as long as others have depth.
    """
    histogram = DepthHistogram(dataset.depth_range, dataset.unit)
    problems, read = [], 0
    for index in indices:
        try:
            frame = dataset.read_frame(index)
        except UserError:
            continue  # counted and reported by UnreadableFrames
        read += 1
        try:
            depth = measured_depth(frame)
        except UserError as error:
            problems.append(f"frame {dataset.sample_ids[index]}: {error}")
            break
        if depth.size:
            histogram.add(depth)
    if histogram.count:
        problems += histogram.problems(dataset.plausible_median)
    elif read and not problems:
        problems.append(f"none of {read} frames has any")
    if problems:
        shown = f"{histogram.summary()}\n       " if histogram.count else ""
        raise UserError(
            f"the training depth of {dataset.name} cannot be right: {'; '.join(problems)}\n       {shown}"
            "Look at it with tr2m data check and tr2m data show. If it is right after all, set the data set's own "
            "reader.depth_range and reader.plausible_median."
        )
