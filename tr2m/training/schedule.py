"""Factors of the base learning rate, as pure functions of the step (from 0)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tr2m.limits import PositiveFloat, Share


@dataclass(frozen=True)
class ExponentialPerEpoch:
    """decay ** epoch: the paper's "decay of 0.9 every epoch" (Sec. 4)."""

    decay: PositiveFloat

    def __call__(self, step: int, steps_per_epoch: int, total_steps: int) -> float:
        return self.decay ** (step // steps_per_epoch)


@dataclass(frozen=True)
class OneCycle:
    """Linear warm-up to 1 over a share of the run, then a cosine down to `final`: for short runs."""

    warmup: Share
    final: Share

    def __call__(self, step: int, steps_per_epoch: int, total_steps: int) -> float:
        progress = (step + 1) / total_steps
        if progress < self.warmup:
            return progress / self.warmup
        phase = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * phase))


Schedule = ExponentialPerEpoch | OneCycle
