"""what=predict: latency and memory of one image, beside published depth networks of like size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from tr2m.benchmark.measurement import Measurement, sides
from tr2m.benchmark.parts import free_memory
from tr2m.benchmark.phases import PhaseClock
from tr2m.benchmark.random_frames import random_batch
from tr2m.benchmark.timing import MIB, PeakMemory, repeat, summary
from tr2m.build import build
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.models.frozen.precision import mixed_precision


@dataclass(frozen=True)
class PredictBenchmark:
    """Batches of one, all networks with random weights and in the same precision. The peers are those of
    configs/baseline that the config names.

    Args:
        size: (height, width) that TR2M sees; the peers resize it by their own rules.
        repeats, warmup: of each network; the warm-up's do not count.
    """

    size: Sequence[int]
    repeats: int
    warmup: int

    @torch.no_grad()
    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        image = random_batch(self.size, 1, device).image
        rows = [self.ours(settings, image, device)]
        for name, peer in tqdm((settings.peers or {}).items(), desc="predict"):
            free_memory()
            network = build(peer["method"]["model"]).to(device)

            def estimate(network: nn.Module = network) -> Tensor:
                with mixed_precision(device):
                    return network(image)

            rows.append(
                self.row(name, network.num_weights, estimate, device) | {"encoders (s)": None, "heads (s)": None}
            )
        return Measurement("predict", device, rows, {"size": sides(self.size)})

    def ours(self, settings: BenchmarkSettings, image: Tensor, device: torch.device) -> dict[str, Any]:
        model = build(settings.model, "model").to(device).eval()
        frozen = (model.image_encoder, model.text_encoder, model.relative_depth)
        weights = sum(p.numel() for p in model.parameters()) + sum(network.num_weights for network in frozen)

        def predict() -> Tensor:
            model.text_encoder.forget()
            return model(image, ["a bedroom with a bed and two lamps"]).metric_depth

        row = self.row("TR2M", weights, predict, device)
        clock = PhaseClock(device)
        clock.watch(model, "encode", "encoders (s)")
        clock.watch(model, "rescale", "heads (s)")
        for _ in range(self.repeats):
            predict()
        return row | {phase: seconds / self.repeats for phase, seconds in clock.seconds.items()}

    def row(self, name: str, weights: int, predict: Callable[[], Tensor], device: torch.device) -> dict[str, Any]:
        with PeakMemory(device) as memory:
            timing = summary(repeat(predict, device, self.repeats, self.warmup))
        return {
            "network": name,
            "weights (M)": weights / 1e6,
            "latency (s)": timing["seconds"],
            "spread": timing["spread"],
            "memory beyond the weights (MiB)": None if memory.added is None else memory.added / MIB,
        }
