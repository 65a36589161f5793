"""Data sets opened for their frames alone, before there are captions."""

from __future__ import annotations

from typing import Any


class NoCaptions:
    """Stands where captions would."""

    description = "none"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return ["(no caption)"]


def without_captions(reader: dict[str, Any]) -> dict[str, Any]:
    """The `reader` of a data set's config with captions that need no files. Readers that make their own keep them."""
    target = f"{NoCaptions.__module__}.{NoCaptions.__qualname__}"
    return {key: {"_target_": target} if key == "captions" else value for key, value in reader.items()}
