"""Python's garbage collector during training."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager

STEPS = 2
"""After so many steps there is what lives as long as the run: networks, compiled code, moments."""


class QuietCollector(AbstractContextManager):
    """Takes what lives as long as the run out of the collector's sight after the first steps: searched again and again,
    millions of objects stop a step for as long as several take. What comes later is collected as ever.
    """

    def __init__(self) -> None:
        self.steps = 0

    def step(self) -> None:
        """Count a step."""
        self.steps += 1
        if self.steps == STEPS:
            gc.collect()
            gc.freeze()

    def __exit__(self, *error: object) -> None:
        gc.unfreeze()
