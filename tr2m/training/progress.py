"""Where a run is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Progress:
    """Saved in every checkpoint."""

    epoch: int = 0
    batch: int = 0
    """Batches of the current epoch that are done."""
    step: int = 0
    validated: int = 0
    """The epoch after which the last validation was finished."""
    best: float = float("inf")
    """Lowest mean abs_rel over the monitored data sets so far."""
    skipped: int = 0
    """Steps that changed no weight, because a loss term or the gradient was not finite."""

    def count_step(self, steps_per_epoch: int) -> None:
        """One more step is done; the last one of an epoch begins the next."""
        self.step += 1
        self.batch += 1
        if self.batch == steps_per_epoch:
            self.epoch, self.batch = self.epoch + 1, 0
