"""From a composed config to the project's objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from tr2m.build import build
from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.evaluation.protocol import Protocol


@dataclass(frozen=True)
class Scored:
    """A data set's evaluation split with the protocol it is scored under."""

    dataset: DepthDataset
    protocol: Protocol


def plain(config: DictConfig) -> dict[str, Any]:
    """The config as plain containers, interpolations resolved."""
    return OmegaConf.to_container(config, resolve=True)


def pick_device(name: str) -> torch.device:
    """ "auto" is the first CUDA device, or the CPU. Raises UserError if the device does not exist."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"device={name}: expected auto, cpu, cuda or cuda:<number>") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device={name}: torch sees no CUDA device here; use device=cpu")
    return device


def build_scored(dataset: dict[str, Any]) -> Scored:
    """The evaluation split of one configs/dataset entry."""
    return Scored(build(dataset["reader"], split=dataset["eval_split"]), build(dataset["protocol"]))


def build_datasets(datasets: dict[str, dict[str, Any] | None]) -> tuple[list[DepthDataset], list[Scored]]:
    """Training and evaluation splits of all data sets. Raises one UserError that names every data set that cannot be had."""
    if unknown := [name for name, dataset in datasets.items() if dataset is None]:
        known = [name for name in datasets if name not in unknown]
        raise UserError(
            f"this experiment trains on {', '.join(datasets)}, and there is no reader yet for {', '.join(unknown)}. "
            f"What works today: {', '.join(known)} (experiment=nyu_kitti)"
        )
    train_sets, scored_sets, problems = [], [], []
    for dataset in datasets.values():
        try:
            if dataset["train_split"] is not None:
                train_sets.append(build(dataset["reader"], split=dataset["train_split"]))
            scored_sets.append(build_scored(dataset))
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n       ".join(problems))
    return train_sets, scored_sets
