"""what=eval: how the time of an evaluation grows with the data set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tr2m.benchmark.measurement import Measurement, sides
from tr2m.benchmark.random_frames import METRES, RandomFrames
from tr2m.build import build
from tr2m.data.eval_regions import FullFrame
from tr2m.evaluation.evaluator import EvaluationSet, ModelMethod, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.experiment.settings import BenchmarkSettings


@dataclass(frozen=True)
class EvalBenchmark:
    """`evaluate` on random frames.

    Args:
        size: (height, width) of the frames.
        counts: numbers of frames, one row each; the first is run once before, to warm up.
        workers: processes that load.
    """

    size: Sequence[int]
    counts: Sequence[int]
    workers: int

    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        method = ModelMethod(build(settings.model, "model").to(device).eval())
        self.seconds(method, self.counts[0], device)
        rows = []
        for count in self.counts:
            seconds = self.seconds(method, count, device)
            rows.append({"frames": count, "seconds": seconds, "images/s": count / seconds, "s/image": seconds / count})
        notes = {"size": sides(self.size), "workers": self.workers}
        return Measurement("eval", device, rows, notes, factors=["frames"], measures={"s": ["seconds"]})

    def seconds(self, method: ModelMethod, count: int, device: torch.device) -> float:
        protocol = Protocol("benchmark", METRES[0] / 2, METRES[1] * 2, FullFrame())
        start = time.perf_counter()
        scored = EvaluationSet(RandomFrames(count=count, input_size=self.size), protocol)
        evaluate(method, [scored], device, self.workers)
        return time.perf_counter() - start
