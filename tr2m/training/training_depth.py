"""Whether the depth that is trained on can be right: a wrong unit or an empty folder must not train for days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.depth_histogram import FRAMES, depth_problems
from tr2m.data.sampling import choose_frames
from tr2m.errors import UserError


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
    """Raise UserError, with the histogram, if the depth of these frames cannot be right."""
    problems, histogram = depth_problems(dataset, dataset.depth_range, indices)
    if problems:
        shown = f"{histogram.summary()}\n       " if histogram.count else ""
        raise UserError(
            f"the training depth of {dataset.name} cannot be right: {'; '.join(problems)}\n       {shown}"
            "Look at it with tr2m data check and tr2m data show. If it is right after all, set the data set's own "
            "reader.depth_range and reader.plausible_median."
        )
