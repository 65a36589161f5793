"""Measure speed: python scripts/benchmark.py what=contrast. Prints a table under the device's name.

torchrun --nproc-per-node 2 scripts/benchmark.py what=train measures several processes; what=eval can do so, too.
"""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from tr2m.cli.hydra_app import hydra_app, plain


@hydra_app("benchmark")
def main(config: DictConfig) -> None:
    import torch

    from tr2m.benchmark.evaluation import EvalBenchmark
    from tr2m.benchmark.growth import plot, varied
    from tr2m.benchmark.train import TrainBenchmark
    from tr2m.build import build
    from tr2m.cli.summary import without_weights
    from tr2m.distributed import is_main, process_count, process_group
    from tr2m.errors import UserError
    from tr2m.experiment.compose import pick_device

    settings = without_weights(plain(config))
    if settings["threads"] is not None:
        torch.set_num_threads(settings["threads"])
    benchmark, device = build(settings["what"]), pick_device(settings["device"])
    with process_group(device):
        if process_count() > 1 and not isinstance(benchmark, TrainBenchmark | EvalBenchmark):
            raise UserError("got several processes, expected one: only what=train and what=eval measure several")
        result = benchmark.run(settings, device)
        if not is_main():
            return
    print(result.markdown())
    if settings["out"] is not None:
        path = result.save(Path(settings["out"]))
        if varied(result):
            plot(result, path.with_suffix(".png"))
        print(f"\nwritten to {path}")
