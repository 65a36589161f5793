"""The contract of every data set: a split of frames, decoded to the data set's unit, with captions.

A reader states facts (where its files lie, how one frame is decoded). Units are converted there and nowhere else. Its
options are the fields of a dataclass.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from tr2m.data.augmentation import Augmentation
from tr2m.data.captions.files import CaptionSource
from tr2m.data.transforms import evaluation_tensors, training_tensors
from tr2m.data.two_step_resize import TwoStepResize
from tr2m.errors import UserError
from tr2m.types import DepthSample, Frame, Unit


@dataclass(kw_only=True, eq=False)
class DepthDataset(Dataset, ABC):
    """Frames of one split of one data set."""

    name: str
    """The data set's name in logs, results and tables."""
    split: str
    """Which split of it this is ("train", "test")."""
    captions: CaptionSource
    """What describes each frame."""
    input_size: Sequence[int] | None
    """(height, width) that the network sees; None in evaluation for one that resizes the whole frame itself."""
    resize: TwoStepResize | None = None
    """How an image comes to the network's size in evaluation; None: in one bicubic step."""
    unit: Unit = field(init=False, default="m")
    """Of the data set's depth: every reader decodes to its own."""
    depth_range: Sequence[float]
    """In this unit; ground truth outside this open interval is not used in training."""
    plausible_median: Sequence[float] | None = None
    """The lowest and highest median that its depth can honestly have, wide, for a wrong unit to stand out."""
    augmentation: Augmentation | None = None
    """Random changes of training frames."""
    sample_ids: list[str] = field(init=False, repr=False)
    """One per frame: as a rule the image's path below its root, without extension."""

    def __post_init__(self) -> None:
        size = self.input_size
        if size is not None:
            if len(size) != 2 or min(size) < 1:
                raise UserError(f"{self.name}: input_size {list(size)}: expected (height, width), both above 0")
            self.input_size = (size[0], size[1])
        self.depth_range = self._range_of("depth_range", self.depth_range)
        if self.plausible_median is not None:
            self.plausible_median = self._range_of("plausible_median", self.plausible_median)
        self.sample_ids = self.index_frames()
        if not self.sample_ids:
            raise UserError(
                f"{self.name}: its split {self.split!r} has no frames; see what it reads in docs/datasets.md"
            )

    def _range_of(self, option: str, values: Sequence[float]) -> tuple[float, float]:
        """Two depths, the nearer one first."""
        if len(values) != 2 or not 0 <= values[0] < values[1] < math.inf:
            raise UserError(f"{self.name}: {option} {list(values)}: expected two depths from 0, the smaller one first")
        return values[0], values[1]

    @abstractmethod
    def index_frames(self) -> list[str]:
        """Find the frames of the split, keep what `read_frame` needs to know about them, and return their sample ids.
        Raises UserError if they are not there.
        """

    @abstractmethod
    def read_frame(self, index: int) -> Frame:
        """Decode frame `index`. Raises UserError that names the file if it is missing, truncated or of the wrong
        kind.
        """

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def fixed_size(self) -> tuple[int, int]:
        """`input_size`, for what needs frames of one size. Raises UserError where there is none."""
        if self.input_size is None:
            raise UserError(f"{self.name}: frames of a batch need one size; set input_size, as (height, width)")
        return self.input_size[0], self.input_size[1]

    def training_sample(self, index: int, rng: np.random.Generator) -> DepthSample:
        """Frame `index` at the network's size with one caption, augmented; `rng` draws both."""
        lines = self.captions.lines(self.split, self.sample_ids[index])
        caption = lines[int(rng.integers(len(lines)))]
        tensors = training_tensors(self.read_frame(index), self.fixed_size)
        image, depth, relative_depth = self.augmentation(tensors, rng) if self.augmentation else tensors
        low, high = self.depth_range
        # In numpy: six times as fast as torch for these few operations on one thread.
        values = depth.numpy()
        valid = (values > low) & (values < high)
        usable = torch.from_numpy(values * valid)
        return DepthSample(image, usable, torch.from_numpy(valid), caption, self.sample_ids[index], relative_depth)

    def evaluation_sample(self, index: int) -> DepthSample:
        """Frame `index` with the image at the network's size, the depth at its own, and the first caption."""
        frame = self.read_frame(index)
        if self.resize is not None and self.input_size is not None:
            image, depth, relative_depth = self.resize(frame, self.input_size)
        else:
            image, depth, relative_depth = evaluation_tensors(frame, self.input_size)
        caption = self.captions.lines(self.split, self.sample_ids[index])[0]
        return DepthSample(image, depth, depth > 0, caption, self.sample_ids[index], relative_depth)

    def own_captions(self) -> CaptionSource:
        """The captions that come with the frames. Raises UserError that names frames without one."""
        return self.captions

    def with_captions(self, captions: CaptionSource) -> DepthDataset:
        """The same frames under other captions."""
        other = copy(self)
        other.captions = captions
        return other

    def frames_digest(self) -> str:
        """SHA-256 of the sample ids in their order, on which the order of training depends."""
        return hashlib.sha256("\n".join(self.sample_ids).encode()).hexdigest()

    def conditions(self) -> dict[str, object]:
        """What a result states about the frames it was measured on."""
        digest = hashlib.sha256("\n".join(sorted(self.sample_ids)).encode()).hexdigest()
        return {
            "split": self.split,
            "count": len(self),
            "split_sha256": digest,
            "caption_source": self.captions.description,
            "input_size": "frame" if self.input_size is None else list(self.input_size),
            **({} if self.resize is None else {"image_resize": vars(self.resize)}),
        }


@dataclass(kw_only=True, eq=False)
class ListedDataset(DepthDataset):
    """Frames below a folder, as a list in the form of `tr2m.data.splits` names or counts them."""

    root: str | Path
    """The data set's folder."""
    split_file: str | Path
    """The list."""
    home: Path = field(init=False, repr=False)
    """`root`, which exists."""

    def __post_init__(self) -> None:
        self.home = require_root(self.root, self.name)
        super().__post_init__()


def require_root(root: str | Path, dataset: str) -> Path:
    """The folder `root`, or a UserError that names the path tried, the variable that sets it and the page that
    explains it.
    """
    path = Path(root)
    if not path.is_dir():
        raise UserError(
            f"{dataset}: no folder {path.absolute()}. Set TR2M_DATA to the folder that holds your data sets, "
            f"or the data set's own `root`; docs/datasets.md shows the layout of {dataset}."
        )
    return path
