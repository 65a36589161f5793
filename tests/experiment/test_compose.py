"""A composed config to data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
import trees
from readers import captions

from tr2m.build import read_settings
from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import EvaluationSet
from tr2m.experiment.compose import build_datasets
from tr2m.experiment.settings import DataSettings


def both(datasets: dict[str, Any]) -> tuple[list[DepthDataset], list[EvaluationSet]]:
    return build_datasets(read_settings(DataSettings, {"datasets": datasets}, "data").datasets, "none")


def test_frames_are_not_both_trained_on_and_evaluated(tmp_path: Path):
    trees.nyuv2(tmp_path)
    captions("nyuv2", tmp_path)
    datasets = tiny.config("data=nyuv2")["data"]["datasets"]
    entry = datasets["nyuv2"]
    entry["reader"] |= {"root": str(tmp_path), "split_file": f"{tmp_path}/list.yaml"}
    entry["reader"]["captions"]["root"] = f"{tmp_path}/captions"
    trained, evaluated = both(datasets)
    assert (len(trained[0]), len(evaluated[0].dataset)) == (2, 1)
    name = next(iter(entry["protocols"]))
    other = trees.split_list(tmp_path / "other.yaml", {}, {"kitchen_0028b": "46", "bathroom": "1"})
    entry["protocols"][name]["reader"] = {"split_file": str(other)}
    with pytest.raises(UserError, match=rf"nyuv2: 1 frames are .* protocol {name}, kitchen_0028b/rgb_00046 for one"):
        both(datasets)
    # A few frames that are only to be fitted are scored on themselves.
    del entry["protocols"][name]["reader"]
    entry["eval_split"] = "train"
    assert len(both(datasets)[1][0].dataset) == 2
