"""what=contrast: time and memory of the loss of Eq. 8 against pixels and classes, in the linear and in the
quadratic form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from tr2m.benchmark.measurement import Measurement
from tr2m.benchmark.plain_contrast import PlainContrast
from tr2m.benchmark.timing import MIB, PeakMemory, repeat
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.losses.contrast import ScaleOrientedContrast


@dataclass(frozen=True)
class ContrastBenchmark:
    """Value and gradient for two images, each the other's partner.

    Args:
        pixels: of one image, at the resolution of the projected features.
        classes: one row for each number of pixels and of classes.
        channels: of the projected features.
        repeats: of the linear form, of which the fastest counts; the quadratic form runs once.
    """

    pixels: Sequence[int]
    channels: int
    classes: Sequence[int]
    repeats: int

    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        cases = list(product(self.pixels, self.classes))
        return Measurement(
            "contrast",
            device,
            [self.row(pixels, classes, device) for pixels, classes in tqdm(cases, desc="contrast")],
            {"channels": self.channels},
            factors=["pixels", "classes"],
            measures={unit: [f"{form} ({unit})" for form in ("linear", "quadratic")] for unit in ("s", "MiB")},
        )

    def row(self, pixels: int, classes: int, device: torch.device) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(0)
        shape = (2, self.channels, 1, pixels)
        queries, keys = (torch.randn(shape, generator=generator).to(device) for _ in range(2))
        labels = torch.randint(0, classes + 1, (2, 1, pixels), generator=generator).to(device)
        others = (keys, labels, torch.tensor([1, 0], device=device))
        linear, plain = ScaleOrientedContrast(classes), PlainContrast(classes)
        linear_s, linear_memory, value = self.measure(linear, queries, others, self.repeats, device)
        plain_s, plain_memory, expected = self.measure(plain, queries, others, 1, device)
        return {
            "pixels": pixels,
            "classes": classes,
            "linear (s)": linear_s,
            "quadratic (s)": plain_s,
            "ratio": plain_s / linear_s,
            "linear (MiB)": linear_memory,
            "quadratic (MiB)": plain_memory,
            "relative difference": abs(expected - value) / abs(expected),
        }

    def measure(
        self,
        loss: ScaleOrientedContrast,
        queries: Tensor,
        others: tuple[Tensor, ...],
        repeats: int,
        device: torch.device,
    ) -> tuple[float, float | None, float]:
        """Seconds, MiB beyond the inputs, and the value."""
        values = []

        def once() -> None:
            leaf = queries.detach().requires_grad_(True)
            value = loss(leaf, *others)
            value.backward()
            values.append(value.detach())

        with PeakMemory(device) as memory:
            seconds = min(repeat(once, device, repeats, warmup=1 if repeats > 1 else 0))
        return seconds, None if memory.added is None else memory.added / MIB, values[0].item()
