"""what=eval: how the time of an evaluation grows with the data set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch

from tr2m.benchmark.measurement import Measurement, sides
from tr2m.benchmark.random_frames import METRES, RandomFrames
from tr2m.build import build
from tr2m.data.eval_regions import FullFrame
from tr2m.evaluation.evaluator import EvaluationSet, ModelMethod, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.limits import Size
from tr2m.models.cuda_graphs import replay_networks
from tr2m.models.frozen.precision import pick_precision


@dataclass(frozen=True)
class EvalBenchmark:
    """`evaluate` on random frames.

    Args:
        size: (height, width) of the frames.
        counts, batch_sizes: numbers of frames, in all and predicted at once: a row for each of both; the first is run
            once before, to warm up.
        workers: processes that load.
    """

    size: Size
    counts: Sequence[int]
    batch_sizes: Sequence[int]
    workers: int

    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        model = build(settings.model, "model").to(device).eval()
        model.set_precision(pick_precision(settings.precision, device, training=False))
        if settings.cuda_graphs:
            replay_networks(model)
        method = ModelMethod(model)
        self.seconds(method, self.counts[0], self.batch_sizes[0], device)
        rows = []
        for count, batch_size in product(self.counts, self.batch_sizes):
            seconds = self.seconds(method, count, batch_size, device)
            rate = {"images/s": count / seconds, "s/image": seconds / count}
            rows.append({"frames": count, "batch": batch_size, "seconds": seconds, **rate})
        notes = {"size": sides(self.size), "workers": self.workers}
        return Measurement("eval", device, rows, notes, factors=["frames", "batch"], measures={"s": ["seconds"]})

    def seconds(self, method: ModelMethod, count: int, batch_size: int, device: torch.device) -> float:
        protocol = Protocol("benchmark", METRES[0] / 2, METRES[1] * 2, FullFrame())
        start = time.perf_counter()
        scored = EvaluationSet(RandomFrames(count=count, input_size=self.size), protocol)
        evaluate(method, [scored], device, self.workers, batch_size=batch_size)
        return time.perf_counter() - start
