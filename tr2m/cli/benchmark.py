"""Measure speed and memory, on random weights and frames.

usage: tr2m benchmark what=<name> [key=value ...]

    tr2m benchmark what=contrast                        prints a table under the device's name
    tr2m benchmark what=train what.batch_sizes=[4,8] out=speed
    torchrun --nproc-per-node=2 -m tr2m benchmark what=train   also what=eval
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tr2m.cli.options.app import hydra_app


@hydra_app("benchmark")
def main(config: dict[str, Any]) -> None:
    import torch

    from tr2m.benchmark.evaluation import EvalBenchmark
    from tr2m.benchmark.growth import plot, varied
    from tr2m.benchmark.train import TrainBenchmark
    from tr2m.build import build, read_settings
    from tr2m.distributed import is_main, process_count, process_group
    from tr2m.errors import UserError
    from tr2m.experiment.compose import pick_device
    from tr2m.experiment.parameters import without_weights
    from tr2m.experiment.settings import BenchmarkSettings

    settings = read_settings(BenchmarkSettings, without_weights(config))
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    benchmark, device = build(settings.what, "what"), pick_device(settings.device)
    with process_group(device):
        if process_count() > 1 and not isinstance(benchmark, TrainBenchmark | EvalBenchmark):
            raise UserError("got several processes, expected one: only what=train and what=eval measure several")
        result = benchmark.run(settings, device)
        if not is_main():
            return
    print(result.markdown())
    if settings.out is not None:
        path = result.save(Path(settings.out))
        if varied(result):
            plot(result, path.with_suffix(".png"))
        print(f"\nwritten to {path}")
