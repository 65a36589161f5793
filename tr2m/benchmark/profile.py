"""what=profile: which kinds of kernels a training step consists of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from tr2m.benchmark.measurement import Measurement, sides
from tr2m.benchmark.parts import make_trainer
from tr2m.benchmark.random_frames import random_batch
from tr2m.benchmark.timing import repeat, summary
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.limits import Size

# By what stands in a kernel's or an operator's name; the first kind that fits counts.
KINDS = {
    "attention": ("sdpa", "flash", "fmha", "attention", "mem_eff"),
    "convolutions": ("conv", "fprop", "dgrad", "wgrad", "winograd"),
    "matrix products": ("gemm", "nvjet", "cutlass", "cublas", "splitk", "addmm", "::mm", "bmm", "::linear"),
    "normalisation": ("norm",),
    "interpolation": ("upsample", "interpolate", "bicubic", "bilinear"),
    "activations": ("gelu", "relu", "sigmoid", "softmax", "softplus"),
    "optimiser and momentum": ("multi_tensor", "adam", "foreach", "lerp"),
    "fused by torch.compile": ("triton", "cpp_fused", "graph_"),
    "copies and casts": ("copy", "memcpy", "memset", "catarray", "::cat", "fill", "zero"),
    "reductions": ("reduce", "::sum", "::mean", "::amin", "::amax", "norm_"),
    "element by element": ("elementwise", "::add", "::mul", "::sub", "::div", "::where", "::exp", "::log"),
}
OTHER = "other"


@dataclass(frozen=True)
class ProfileBenchmark:
    """`Trainer.train_step` on random frames under torch's profiler.

    Args:
        size: (height, width) of the frames.
        batch_size: frames of a step.
        steps, warmup: the warm-up's do not count.
    """

    size: Size
    batch_size: int
    steps: int
    warmup: int

    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        trainer, batch = make_trainer(settings, device, self.size), random_batch(self.size, self.batch_size, device)

        def step() -> None:
            trainer.train_step([batch])

        seconds = summary(repeat(step, device, self.steps, self.warmup))["seconds"]
        activity = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
        with profile(activities=[activity]) as recorded:
            repeat(step, device, self.steps, warmup=0)
        times = own_times(recorded, activity)
        rows = self.rows(times)
        kernels = sum(row["ms a step"] for row in rows)
        notes = {
            "size": sides(self.size),
            "batch": self.batch_size,
            "compile": settings.compile,
            "step without the profiler (ms)": 1e3 * seconds,
            "kernels of a step (ms)": kernels,
        }
        return Measurement("profile", device, rows, notes)

    def rows(self, times: dict[str, tuple[float, int]]) -> list[dict[str, Any]]:
        """A row for each kind, the longest first, from the seconds and calls of each kernel by its name."""
        by_kind: defaultdict[str, list[tuple[float, int, str]]] = defaultdict(list)
        for name, (seconds, calls) in times.items():
            by_kind[kind_of_kernel(name)].append((seconds, calls, name))
        total = sum(seconds for seconds, _ in times.values())
        rows = []
        for kind, kernels in by_kind.items():
            seconds = sum(entry[0] for entry in kernels)
            longest = max(kernels)
            rows.append(
                {
                    "kind": kind,
                    "ms a step": 1e3 * seconds / self.steps,
                    "share": seconds / total,
                    "calls a step": sum(entry[1] for entry in kernels) / self.steps,
                    "longest kernel": longest[2].replace("|", " ")[:60],
                    "its ms a step": 1e3 * longest[0] / self.steps,
                }
            )
        return sorted(rows, key=lambda row: -row["ms a step"])


def own_times(recorded: profile, activity: ProfilerActivity) -> dict[str, tuple[float, int]]:
    """Of each kernel, or on a CPU of each operator without those it calls, the seconds and the calls."""
    on_cuda = activity == ProfilerActivity.CUDA
    times = {
        event.key: ((event.self_device_time_total if on_cuda else event.self_cpu_time_total) / 1e6, event.count)
        for event in recorded.key_averages()
    }
    return {name: (seconds, calls) for name, (seconds, calls) in times.items() if seconds > 0}


def kind_of_kernel(name: str) -> str:
    """One of KINDS, or OTHER."""
    lower = name.lower()
    return next((kind for kind, marks in KINDS.items() if any(mark in lower for mark in marks)), OTHER)
