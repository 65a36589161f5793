"""Measure speed: python scripts/benchmark.py what=contrast. Prints a table under the device's name."""

from __future__ import annotations

from pathlib import Path

from hydra_app import hydra_app, plain
from omegaconf import DictConfig


@hydra_app("benchmark")
def main(config: DictConfig) -> None:
    import torch
    from composition import pick_device
    from summary import without_weights

    from tr2m.benchmark.contrast import plot
    from tr2m.build import build

    settings = without_weights(plain(config))
    if settings["threads"] is not None:
        torch.set_num_threads(settings["threads"])
    result = build(settings["what"]).run(settings, pick_device(settings["device"]))
    print(result.markdown())
    if settings["out"] is not None:
        path = result.save(Path(settings["out"]))
        if result.what == "contrast":
            plot(result, path.with_suffix(".png"))
        print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
