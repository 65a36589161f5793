"""The options of a data set: an entry of configs/dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tr2m.build import build
from tr2m.data.captions.files import NoCaptions
from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError


@dataclass(frozen=True)
class DatasetSettings:
    """How a data set is read, which of its splits are for what, and the protocols it is scored under."""

    train_split: str | None
    """None: nothing of it is trained on."""
    eval_split: str
    reader: dict[str, Any]
    """Of a DepthDataset, without its split."""
    protocols: dict[str, dict[str, Any]]
    """By name, the first is the usual one. `reader` in it holds what the protocol reads differently."""

    augmentations: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name, of training frames."""

    @property
    def name(self) -> str:
        return self.reader["name"]

    @property
    def splits(self) -> list[str]:
        """The splits in use, each once."""
        return list(dict.fromkeys(split for split in (self.train_split, self.eval_split) if split))

    def read(self, split: str, **changes: Any) -> DepthDataset:
        """A split; `changes` are options of the reader that replace its own."""
        return build(self.reader | changes, split=split)

    def read_training(self, augmentation: str) -> DepthDataset:
        """The training split with one of `augmentations`, or "none". Raises UserError for an unknown one."""
        known = {"none": None, **self.augmentations}
        if augmentation not in known:
            raise UserError(
                f"augmentation={augmentation}: {self.name} does not know it; choose one of {', '.join(known)}"
            )
        if self.train_split is None:
            raise UserError(f"{self.name} has no training split")
        return self.read(self.train_split, augmentation=build(known[augmentation]))

    def read_without_captions(self, split: str, **changes: Any) -> DepthDataset:
        """`read`, before there are captions. A reader that makes its own keeps them."""
        own = {"captions": NoCaptions()} if "captions" in self.reader else {}
        return build(self.reader | changes, split=split, **own)

    def chosen_protocols(self, wanted: str | None) -> dict[str, dict[str, Any]]:
        """The protocol `wanted`, the first one for None, all of them for "all". Raises UserError for an unknown one."""
        if wanted == "all":
            return self.protocols
        name = wanted or next(iter(self.protocols))
        if name not in self.protocols:
            known = ", ".join(self.protocols)
            raise UserError(f"protocol={name}: {self.name} does not have it; it has {known}, and all")
        return {name: self.protocols[name]}
