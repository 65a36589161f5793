"""The options of the feature cache: configs/cache."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CacheSettings:
    folder: str | None
    """None: the frozen networks run in every step."""
    image_tokens: bool
    """Whether the image encoder's tokens are cached."""
    relative_depth: bool
    """Whether relative depth is cached, where the data set does not come with its own."""
