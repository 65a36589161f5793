"""Encode the training frames once: python scripts/cache.py experiment=<as for train.py> cache.folder=<folder>"""

from __future__ import annotations

import logging

from omegaconf import DictConfig

from tr2m.cli.hydra_app import hydra_app, plain
from tr2m.errors import UserError


@hydra_app("train")
def main(config: DictConfig) -> None:
    settings = plain(config)
    if settings["cache"]["folder"] is None:
        raise UserError("not given: cache.folder=...")

    # After the cheap checks, so that a typing mistake is answered at once.
    from tr2m.build import build
    from tr2m.experiment.compose import build_datasets, pick_device
    from tr2m.feature_cache.fill import CacheFiller
    from tr2m.feature_cache.find import find_caches

    device = pick_device(settings["device"])
    datasets, _ = build_datasets(settings["data"]["datasets"])
    model = build(settings["model"]).to(device)
    caches = find_caches(settings, model, device)
    trainer = settings["trainer"]
    unreadable = CacheFiller(caches, model, device, trainer["batch_size"], trainer["workers"]).fill(datasets)
    for frame in unreadable:
        logging.warning("%s: %s cannot be read and was left out: %s", *frame)
    frames = sum(map(len, datasets)) - len(unreadable)
    print(f"{settings['cache']['folder']}: {frames:,} frames. Train with the same options.")
