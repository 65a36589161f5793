"""From a composed config to the project's objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tr2m.build import build, read_settings
from tr2m.data.captions.files import CaptionSource
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.settings import DatasetSettings
from tr2m.distributed import on_main
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import EvaluationSet
from tr2m.evaluation.protocol import Protocol
from tr2m.experiment.settings import TrainSettings
from tr2m.experiment.start import Start
from tr2m.experiment.trainer import assemble_trainer
from tr2m.models.frozen.precision import name_of
from tr2m.training.run.checkpoint_folder import newest_checkpoint
from tr2m.training.run.resume import locate_run
from tr2m.training.run.run_log import RunLog, environment
from tr2m.training.trainer import Trainer
from tr2m.training.validation import ValidationSet


def pick_device(name: str) -> torch.device:
    """ "auto" is the first CUDA device, or the CPU. Raises UserError if the device does not exist."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    present = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    expected = "expected auto, cpu, cuda, cuda:<number> or mps"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"device={name}: {expected}") from error
    if device.type not in present:
        raise UserError(f"device={name}: {expected}")
    if (device.index or 0) >= present[device.type]:
        count = present[device.type] or "no"
        raise UserError(f"device={name}: torch sees {count} {device.type} device here, counted from 0; use device=cpu")
    return device


def build_evaluation_sets(
    dataset: DatasetSettings, protocol: str | None = None, captions: dict[str, Any] | None = None
) -> list[EvaluationSet]:
    """The evaluation split of one data set under one of its protocols (None: the first), or under "all".

    Protocols that read alike share one reader. `captions`, one of configs/captions, replaces those of the data set.
    """
    readers: dict[str, DepthDataset] = {}
    sets = []
    for name, settings in dataset.chosen_protocols(protocol).items():
        changes = settings.get("reader", {})
        if str(changes) not in readers:
            frames = dataset.read(dataset.eval_split, **changes)
            readers[str(changes)] = frames.with_captions(build_captions(captions, frames)) if captions else frames
        sets.append(EvaluationSet(readers[str(changes)], build_protocol(name, settings)))
    return sets


def build_protocol(name: str, settings: dict[str, Any]) -> Protocol:
    """The protocol of an entry in `DatasetSettings.protocols`."""
    return build({key: value for key, value in settings.items() if key != "reader"}, name=name)


def build_captions(captions: dict[str, Any], dataset: DepthDataset) -> CaptionSource:
    """One of configs/captions for the frames of `dataset`; `other` is the data set that it takes sentences from."""
    if "other" not in captions:
        return build(captions, dataset=dataset)
    other = read_settings(DatasetSettings, captions["other"], "captions.other")
    return build(captions, dataset=dataset, other=other.read(other.eval_split))


def check_apart(trained: DepthDataset, evaluated: list[EvaluationSet]) -> None:
    """Raise UserError if a frame that is trained on is evaluated, too, as where the two come from different lists."""
    for entry in evaluated:
        if shared := sorted(set(trained.sample_ids) & set(entry.dataset.sample_ids)):
            raise UserError(
                f"{trained.name}: {len(shared)} frames are both trained on and evaluated by protocol "
                f"{entry.protocol.name}, {shared[0]} for one; take both splits from one list (reader.split_file)"
            )


def build_datasets(
    datasets: dict[str, DatasetSettings], augmentation: str
) -> tuple[list[DepthDataset], list[EvaluationSet]]:
    """Training and evaluation splits of all data sets. Raises one UserError that names every data set that is missing
    or wrong, or is evaluated on frames that it trains on unless both are one split.
    """
    train_sets, evaluation_sets, problems = [], [], []
    for dataset in datasets.values():
        try:
            evaluated = build_evaluation_sets(dataset)
            if dataset.train_split is not None:
                trained = dataset.read_training(augmentation)
                if dataset.train_split != dataset.eval_split:
                    check_apart(trained, evaluated)
                train_sets.append(trained)
            evaluation_sets += evaluated
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n       ".join(problems))
    return train_sets, evaluation_sets


def build_trainer(config: dict[str, Any], overrides: list[str]) -> Trainer:
    """The trainer that a composed train.yaml describes, resumed if it asks for that."""
    settings = read_settings(TrainSettings, config)
    device = pick_device(settings.device)
    experiment = Path(settings.paths.outputs, str(settings.name))
    run_id = None if settings.run_id is None else str(settings.run_id)
    folder, checkpoint = on_main(lambda: locate_run(experiment, run_id, settings.resume))
    log = RunLog(folder, config, overrides, device)
    with log.claimed():
        if settings.resume == "auto":
            # Again: whoever had the folder may have written a newer one since.
            checkpoint = on_main(lambda: newest_checkpoint(folder / "checkpoints"))
        # A resumed run has its weights from its own checkpoint.
        start = None if checkpoint or settings.init_from is None else Start.read(settings.init_from)
        train_sets, evaluation_sets = build_datasets(settings.data.datasets, settings.augmentation)
        trained = {dataset.name for dataset in train_sets}
        validation_sets = [ValidationSet(s.dataset, s.protocol, s.dataset.name in trained) for s in evaluation_sets]
        trainer = assemble_trainer(settings, train_sets, validation_sets, log, start)
        if checkpoint:
            trainer.resume(checkpoint)
    return trainer


def provenance(
    config: dict[str, Any], checkpoint: Path, device: torch.device, precision: torch.dtype
) -> dict[str, Any]:
    """How a result file describes a trained model; `config` is the one it was trained with."""
    return {
        "method": config["name"],
        "seed": config["seed"],
        "checkpoint": str(checkpoint),
        "captions": "correct",
        "precision": name_of(precision),
        "environment": environment(device),
    }
