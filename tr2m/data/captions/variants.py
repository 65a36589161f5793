"""Captions other than a frame's own: how much a model leans on its sentence (Table 10)."""

from __future__ import annotations

import zlib

import numpy as np

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.file_names import in_text
from tr2m.errors import UserError


class AllCaptions:
    """A frame's own captions, all of which the evaluation reads (`tr2m.evaluation.caption_average`)."""

    def __init__(self, dataset: DepthDataset) -> None:
        self.source = dataset.captions
        self.description = f"mean over all lines, {self.source.description.removesuffix(', line 1')}"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return self.source.lines(split, sample_id)


class WrongScene:
    """The captions of a frame of another scene of the same data set; a scene is what lies in one folder. Where there is
    one folder only, those of another frame.
    """

    def __init__(self, dataset: DepthDataset, seed: int) -> None:
        self.source, self.seed = dataset.captions, seed
        self.description = f"wrong scene (seed {seed}), {self.source.description}"
        self.sample_ids = sorted(dataset.sample_ids)
        if len(self.sample_ids) < 2:
            raise UserError(f"captions=wrong_scene: {dataset.name} has one frame only, there is no other to take from")

    def lines(self, split: str, sample_id: str) -> list[str]:
        others = [other for other in self.sample_ids if scene(other) != scene(sample_id)]
        others = others or [other for other in self.sample_ids if other != sample_id]
        return self.source.lines(split, draw(others, self.seed, sample_id))


class WrongDomain:
    """The captions of a frame of another data set.

    Args:
        other: where they come from: a reader of its evaluation split.
    """

    def __init__(self, dataset: DepthDataset, other: DepthDataset, seed: int) -> None:
        if other.name == dataset.name:
            raise UserError(
                f"captions=wrong_domain takes them from {other.name}, which is the data set itself: "
                "choose another one by dataset@captions.other=<name>"
            )
        self.other, self.seed = other, seed
        self.description = f"wrong domain ({other.name}, seed {seed}), {other.captions.description}"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return self.other.captions.lines(self.other.split, draw(self.other.sample_ids, self.seed, sample_id))


class FixedCaption:
    """One sentence for all frames; it may be empty."""

    def __init__(self, dataset: DepthDataset, text: str) -> None:
        self.text = in_text(text)
        self.description = f"fixed: {self.text!r}"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return [self.text]


def scene(sample_id: str) -> str:
    return sample_id.rpartition("/")[0]


def draw(sample_ids: list[str], seed: int, sample_id: str) -> str:
    """One of `sample_ids`, for `sample_id` always the same one whatever else is asked for."""
    rng = np.random.default_rng([seed, zlib.crc32(sample_id.encode())])
    return sample_ids[int(rng.integers(len(sample_ids)))]
