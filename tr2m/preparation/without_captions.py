"""Data sets opened for their frames alone, before there are captions."""

from __future__ import annotations

from typing import Any

from tr2m.build import build
from tr2m.data.depth_dataset import DepthDataset


class NoCaptions:
    """Stands where captions would."""

    description = "none"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return ["(no caption)"]


def open_without_captions(reader: dict[str, Any], split: str) -> DepthDataset:
    """One split of the data set whose config has this `reader`. Raises UserError as the reader does."""
    facts = {key: value for key, value in reader.items() if key != "captions"}
    return build(facts, split=split, **({"captions": NoCaptions()} if "captions" in reader else {}))
