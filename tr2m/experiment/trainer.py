"""From settings and data sets to a trainer."""

from __future__ import annotations

from collections.abc import Sequence

from tr2m.build import build
from tr2m.data.depth_dataset import DepthDataset
from tr2m.experiment.settings import ExperimentSettings
from tr2m.experiment.start import Start
from tr2m.feature_cache.find import check_complete, find_caches
from tr2m.models.compilation import compile_networks, compile_pieces
from tr2m.models.cuda_graphs import CudaGraphs, replay_networks
from tr2m.models.frozen.precision import pick_precision
from tr2m.training.run.run_log import RunLog
from tr2m.training.seeding import seed_everything
from tr2m.training.trainer import Trainer
from tr2m.training.validation import ValidationSet


def assemble_trainer(
    settings: ExperimentSettings,
    train_sets: Sequence[DepthDataset],
    validation_sets: Sequence[ValidationSet],
    log: RunLog,
    start: Start | None = None,
) -> Trainer:
    """The trainer that the settings describe, on the log's device. Its first weights are those of `start`, or depend on
    the seed alone.
    """
    seed_everything(settings.seed)
    model = build(settings.model, "model").to(log.device)
    model.set_precision(pick_precision(settings.precision, log.device, training=True))
    if start:
        start.load_into(model, train_sets)
    # Not before: its momentum branch begins as a copy of the model's encoder.
    contrast = build(settings.contrast, "contrast", model=model).to(log.device)
    if start:
        start.log_what_is_new(contrast)
    if settings.trainer.panels and validation_sets:
        model.require_maps(f"trainer.panels={settings.trainer.panels}")
    objective = build(settings.objective, "objective")
    caches = find_caches(settings.cache, settings.augmentation, settings.model, model)
    check_complete(caches, train_sets)
    if settings.compile:
        compile_networks(model)
        compile_pieces(contrast)
        compile_pieces(objective)
    parameters = [p for module in (model, contrast) for p in module.parameters() if p.requires_grad]
    trainer = Trainer(
        model=model,
        contrast=contrast,
        objective=objective,
        optimizer=build(settings.optim.optimizer, "optim.optimizer", params=parameters),
        schedule=build(settings.optim.schedule, "optim.schedule"),
        train_sets=train_sets,
        validation_sets=validation_sets,
        log=log,
        settings=settings.trainer,
        seed=settings.seed,
        caches=caches,
    )
    if settings.cuda_graphs:
        trainer.learn = CudaGraphs(trainer.learn, replay_networks(model), with_gradient=True)
    return trainer
