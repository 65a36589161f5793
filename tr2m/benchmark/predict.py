"""what=predict: latency and memory of one image, beside published depth networks of like size."""

from __future__ import annotations

from collections.abc import Callable
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
from tr2m.limits import Size
from tr2m.models.compilation import compile_networks, compile_pieces
from tr2m.models.contract import RescalingModel
from tr2m.models.cuda_graphs import replay_networks
from tr2m.models.frozen.frozen_module import FrozenModule
from tr2m.models.frozen.precision import name_of, pick_precision
from tr2m.models.tr2m import TR2M

CAPTION = "a bedroom with a bed and two lamps"


@dataclass(frozen=True)
class PredictBenchmark:
    """Batches of one, random weights. TR2M in float32, neither compiled nor replayed; then all networks in the
    precision that was asked for, compiled and replayed if it was asked for, and how far TR2M then is from float32. The
    peers are those of configs/baseline that the config names.

    Args:
        size: (height, width) that TR2M sees; the peers resize it by their own rules.
        repeats, warmup: of each network; the warm-up's do not count.
    """

    size: Size
    repeats: int
    warmup: int

    @torch.no_grad()
    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        image = random_batch(self.size, 1, device).image
        precision = pick_precision(settings.precision, device, training=False)
        model = build(settings.model, "model").to(device).eval()
        rows, notes = [], {"size": sides(self.size), "compile": settings.compile, "CUDA graphs": settings.cuda_graphs}
        exact = None if precision == torch.float32 else features_and_depth(model, image)
        if exact is not None:
            rows.append(self.ours(model, image))
            model.set_precision(precision)
        speed_up(model, settings)
        rows.append(self.ours(model, image))
        if exact is not None:
            notes |= {
                f"{name}, difference from float32": relative_error(values, exact[name])
                for name, values in features_and_depth(model, image).items()
            }
        del model
        for name, peer in tqdm((settings.peers or {}).items(), desc="predict"):
            free_memory()
            network = build(peer["method"]["model"]).to(device)
            network.set_precision(precision)
            speed_up(network, settings)
            rows.append(self.row(name, network.num_weights, precision, lambda network=network: network(image), device))
        return Measurement("predict", device, rows, notes)

    def ours(self, model: TR2M, image: Tensor) -> dict[str, Any]:
        frozen = (model.image_encoder, model.text_encoder, model.relative_depth)
        weights = sum(p.numel() for p in model.parameters()) + sum(network.num_weights for network in frozen)

        def predict() -> Tensor:
            model.text_encoder.forget()
            return model(image, [CAPTION]).metric_depth

        row = self.row("TR2M", weights, model.precision, predict, image.device)
        clock = PhaseClock(image.device)
        clock.watch(model, "encode", "encoders (s)")
        clock.watch(model, "rescale", "heads (s)")
        for _ in range(self.repeats):
            predict()
        clock.stop()
        return row | {phase: seconds / self.repeats for phase, seconds in clock.seconds.items()}

    def row(
        self, name: str, weights: int, precision: torch.dtype, predict: Callable[[], Tensor], device: torch.device
    ) -> dict[str, Any]:
        with PeakMemory(device) as memory:
            timing = summary(repeat(predict, device, self.repeats, self.warmup))
        return {
            "network": name,
            "precision": name_of(precision),
            "weights (M)": weights / 1e6,
            "latency (s)": timing["seconds"],
            "spread": timing["spread"],
            "memory beyond the weights (MiB)": None if memory.added is None else memory.added / MIB,
            "encoders (s)": None,
            "heads (s)": None,
        }


def speed_up(network: nn.Module, settings: BenchmarkSettings) -> None:
    """Compile and replay TR2M or a peer, if the settings ask for it. A peer without equal blocks, whose compilation
    would take minutes, is replayed only.
    """
    if settings.compile and isinstance(network, RescalingModel):
        compile_networks(network)
    elif settings.compile and isinstance(network, FrozenModule) and len(network.pieces()) > 1:
        compile_pieces(network)
    if settings.cuda_graphs:
        replay_networks(network)


def features_and_depth(model: RescalingModel, image: Tensor) -> dict[str, Tensor]:
    """What the frozen networks output for `image`, and the depth that follows."""
    features = model.encode(image, [CAPTION])
    return {
        "image tokens": features.image_tokens,
        "text tokens": features.text_tokens,
        "relative depth": features.relative_depth,
        "metric depth": model.rescale(features).metric_depth,
    }


def relative_error(values: Tensor, exact: Tensor) -> float:
    """Norm of the difference, as a share of the norm of `exact`."""
    return ((values - exact).norm() / exact.norm()).item()
