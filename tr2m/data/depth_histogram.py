"""How the depth of many frames is distributed, to notice a wrong unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.types import Frame, Unit

FRAMES = 32
"""Of a data set are looked at, at first one of every folder: enough for a median, and read in about a second."""

# Fine enough for a median within 2 %, from a ten-thousandth of a unit to a hundred thousand.
_EDGES = np.geomspace(1e-4, 1e5, 1025)
_BARS = " ▁▂▃▄▅▆▇█"
_SHOWN_BINS = 20
# Of the depth that is measured; sky and windows beyond the range are common, a wrong unit puts nearly all outside.
_LEAST_SHARE_INSIDE = 0.5
_ADVICE = (
    "is this the release whose encoding docs/datasets.md describes, or the metres_per_unit of one's own table right?"
)


def measured_depth(frame: Frame) -> Float[np.ndarray, " N"]:
    """The depth of a frame without the pixels that have none. Raises UserError if it is negative or not finite."""
    depth = frame.depth[frame.depth != 0]
    if not np.isfinite(depth).all() or (depth < 0).any():
        raise UserError("expected depth that is finite and not negative; the reader's decoding is wrong")
    return depth


class DepthHistogram:
    """Counts depths, in bins of equal ratio.

    Args:
        depth_range: the open interval in which this data set's depth counts.
        unit: of all depths.
    """

    def __init__(self, depth_range: Sequence[float], unit: Unit) -> None:
        self.unit: Unit = unit
        self.low, self.high = depth_range
        self.counts = np.zeros(len(_EDGES) - 1, np.int64)
        self.inside = 0
        self.least, self.greatest = np.inf, 0.0

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def add(self, depth: Float[np.ndarray, " N"]) -> None:
        """Count the valid depths of a frame, at least one of them."""
        self.counts += np.histogram(depth.clip(_EDGES[0], _EDGES[-1]), _EDGES)[0]
        self.inside += int(((depth > self.low) & (depth < self.high)).sum())
        self.least, self.greatest = min(self.least, float(depth.min())), max(self.greatest, float(depth.max()))

    def quantile(self, share: float) -> float:
        """Depth below which this share of the depths lies, within 2 %."""
        bin_ = int(np.searchsorted(self.counts.cumsum(), share * self.count))
        return float(np.sqrt(_EDGES[bin_] * _EDGES[bin_ + 1]))

    def summary(self) -> str:
        """Range, quantiles, and a histogram in characters over the data set's range in equal steps."""
        near, median, far = (self.quantile(share) for share in (0.05, 0.5, 0.95))
        return (
            f"depth {self.least:.3g} to {self.greatest:.3g} {self.unit}, "
            f"5 % {near:.3g}, median {median:.3g}, 95 % {far:.3g}; "
            f"from {self.low:g} to {self.high:g} {self.unit}: |{self._bars()}|"
        )

    def _bars(self) -> str:
        centres = np.sqrt(_EDGES[:-1] * _EDGES[1:])
        heights = np.histogram(centres, _SHOWN_BINS, (self.low, self.high), weights=self.counts)[0]
        return "".join(_BARS[int(np.ceil(height * (len(_BARS) - 1)))] for height in heights / max(heights.max(), 1))

    def problems(self, plausible_median: Sequence[float] | None) -> list[str]:
        """What is implausible about the depths.

        Args:
            plausible_median: the lowest and highest; None if not known.
        """
        found = []
        if (share := self.inside / self.count) < _LEAST_SHARE_INSIDE:
            found.append(
                f"only {share:.0%} of the measured depth lies between {self.low:g} and {self.high:g} {self.unit}: "
                f"{_ADVICE}"
            )
        median = self.quantile(0.5)
        if plausible_median and not plausible_median[0] <= median <= plausible_median[1]:
            low, high = plausible_median
            expected = f"{low:g} to {high:g} {self.unit}"
            found.append(f"the median depth is {median:.3g} {self.unit}, expected {expected}: {_ADVICE}")
        return found


def depth_problems(
    dataset: DepthDataset, depth_range: Sequence[float], indices: Sequence[int]
) -> tuple[list[str], DepthHistogram]:
    """What cannot be right about the depth of these frames, and its histogram: no depth at all, depth that is negative
    or not finite, most of it outside `depth_range`, or a median that the data set cannot have. Few measured pixels are
    no fault; nor are frames without any, or that cannot be read, as long as others have depth.
    """
    histogram = DepthHistogram(depth_range, dataset.unit)
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
    return problems, histogram
