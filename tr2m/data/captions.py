"""Where the sentences about a frame come from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tr2m.errors import UserError


class CaptionSource(Protocol):
    """Gives the captions of a frame; evaluation takes the first, training draws one."""

    description: str
    """For result files: which captions these are."""

    def lines(self, split: str, sample_id: str) -> list[str]:
        """At least one non-empty sentence about the frame."""
        ...
