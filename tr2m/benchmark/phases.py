"""Where the time of a training step goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import wraps
from typing import Any

import torch

from tr2m.models.cuda_graphs import graphs_off
from tr2m.training.trainer import Trainer
from tr2m.types import DepthBatch


class PhaseClock:
    """Adds up the seconds of the methods it watches. The device is waited for at both ends of each call, so a step
    takes longer under the clock than without it.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}
        self._watched: list[tuple[Any, str, Any]] = []

    def watch(self, owner: Any, method: str, phase: str) -> None:
        original = getattr(owner, method)

        # The learning-rate scheduler looks for its mark on the optimiser's step.
        @wraps(original)
        def timed(*arguments: Any, **keywords: Any) -> Any:
            start = self.now()
            result = original(*arguments, **keywords)
            self.seconds[phase] = self.seconds.get(phase, 0.0) + self.now() - start
            return result

        setattr(owner, method, timed)
        self._watched.append((owner, method, original))

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def stop(self) -> None:
        """Take the watching methods off again."""
        for owner, method, original in reversed(self._watched):
            setattr(owner, method, original)


def time_phases(trainer: Trainer, batches: Iterator[Sequence[DepthBatch]], steps: int) -> dict[str, float]:
    """Mean seconds of each phase of `steps` steps: "load" is the wait for the next of `batches`, "other" the rest of
    `trainer.train_step`. Without CUDA graphs, in which phases cannot be told apart.
    """
    clock = PhaseClock(trainer.device)
    clock.watch(trainer.model, "encode", "encode")
    clock.watch(trainer.model, "rescale", "fuse and heads")
    for module, phase in ((trainer.contrast, "momentum keys"), (trainer.objective, "losses")):
        clock.watch(module, "forward" if module._compiled_call_impl is None else "_compiled_call_impl", phase)
    clock.watch(trainer.gradients, "add", "backward")
    clock.watch(trainer.gradients, "average", "optimiser")
    clock.watch(trainer.optimizer, "step", "optimiser")
    clock.watch(trainer.contrast, "update", "momentum update")
    loading = training = 0.0
    for _ in range(steps):
        start = clock.now()
        parts = next(batches)
        loaded = clock.now()
        with graphs_off():
            trainer.train_step(parts)
        loading += loaded - start
        training += clock.now() - loaded
    clock.stop()
    means = {phase: seconds / steps for phase, seconds in clock.seconds.items()}
    return {"load": loading / steps, **means, "other": training / steps - sum(means.values())}
