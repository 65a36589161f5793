"""Precompute what the frozen encoders output for the training frames.

usage: tr2m cache cache.folder=<folder> [key=value ..., as for tr2m train]

    tr2m cache experiment=mixed4 augmentation=none cache.folder=features
    tr2m train experiment=mixed4 augmentation=none cache.folder=features
"""

from __future__ import annotations

import logging
from typing import Any

from tr2m.cli.options.app import hydra_app
from tr2m.errors import UserError


@hydra_app("train")
def main(config: dict[str, Any]) -> None:
    if config["cache"]["folder"] is None:
        raise UserError("not given: cache.folder=...")

    # After the cheap checks, so that a typing mistake is answered at once.
    from tr2m.build import build, read_settings
    from tr2m.experiment.compose import build_datasets, pick_device
    from tr2m.experiment.settings import TrainSettings
    from tr2m.feature_cache.fill import CacheFiller
    from tr2m.feature_cache.find import find_caches
    from tr2m.models.frozen.precision import pick_precision

    settings = read_settings(TrainSettings, config)
    device, trainer = pick_device(settings.device), settings.trainer
    datasets, _ = build_datasets(settings.data.datasets, settings.augmentation)
    model = build(settings.model, "model").to(device)
    model.set_precision(pick_precision(settings.precision, device, training=True))
    caches = find_caches(settings.cache, settings.augmentation, settings.model, model)
    unreadable = CacheFiller(caches, model, device, trainer.batch_size, trainer.workers).fill(datasets)
    for frame in unreadable:
        logging.warning("%s: %s cannot be read and was left out: %s", *frame)
    frames = sum(map(len, datasets)) - len(unreadable)
    print(f"{settings.cache.folder}: {frames:,} frames. Train with the same options.")
