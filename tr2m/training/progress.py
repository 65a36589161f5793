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
    stale: int = 0
    """Validations since the best one."""
    skipped: int = 0
    """Steps that changed no weight, because a loss term or the gradient was not finite."""

    def count_step(self, steps_per_epoch: int) -> None:
        """One more step is done; the last one of an epoch begins the next."""
        self.step += 1
        self.batch += 1
        if self.batch == steps_per_epoch:
            self.epoch, self.batch = self.epoch + 1, 0

    def count_validation(self, score: float) -> bool:
        """The epoch is validated; returns whether its score, lower is better, is the best so far."""
        self.validated = self.epoch
        if score < self.best:
            self.best, self.stale = score, 0
            return True
        self.stale += 1
        return False

    def stalled(self, limit: int | None) -> str | None:
        """Why training ends before its last step, if it does: `limit` validations in a row were not better.

        All processes have the same scores, and so the same result.
        """
        if limit is None or self.stale < limit:
            return None
        return f"{self.stale} validations without a better score than {self.best:.4f}, that of best.pt"
