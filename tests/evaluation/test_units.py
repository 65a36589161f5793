"""A data set has one unit, and whatever is predicted for it is compared in that unit."""

import logging
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
import trees
from readers import opened
from small_run import make_trainer
from torch import nn
from world import Flat

from tr2m.build import build
from tr2m.data.eval_regions import FullFrame
from tr2m.data.mixing import collate
from tr2m.errors import UserError
from tr2m.evaluation.depth_network import DepthNetwork
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.evaluation.saved_predictions import SavedPredictions
from tr2m.experiment.load import check_unit, load_model, read_trained
from tr2m.training.run.checkpoint import load_checkpoint, save_checkpoint
from tr2m.training.run.published import publish

PROTOCOL = Protocol("paper", 0.1, 100.0, FullFrame())


class Wall(nn.Module):
    """A network that sees a wall at 0.05 m, or at a relative depth of 0.05, in every picture."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 6, 8), 0.05)


def in_millimetres(depth: float) -> Flat:
    dataset = Flat([depth], [48])
    dataset.unit = "mm"
    return dataset


def score(method, dataset: Flat) -> dict:
    return evaluate(method, [EvaluationSet(dataset, PROTOCOL)], torch.device("cpu"), 0)[0].result


def test_networks_of_metres_are_scored_in_the_unit_of_the_data_set():
    result = score(DepthNetwork(Wall(), "metric_depth"), in_millimetres(40.0))
    assert result["unit"] == "mm"
    assert result["metrics"]["rmse"] == pytest.approx(10.0, rel=1e-6)
    in_metres = score(DepthNetwork(Wall(), "metric_depth"), Flat([1.0], [48]))
    # 0.05 m is below the range, and clamped to its lower end.
    assert (in_metres["unit"], in_metres["metrics"]["rmse"]) == ("m", pytest.approx(0.9, rel=1e-6))


def test_saved_predictions_of_any_unit_are_scored_in_that_of_the_data_set(tmp_path: Path):
    (tmp_path / "flat").mkdir()
    np.save(tmp_path / "flat/0.npy", np.full((6, 8), 50_000.0))
    micrometres = SavedPredictions(str(tmp_path), "metric_depth", 1e6)
    assert score(micrometres, in_millimetres(40.0))["metrics"]["rmse"] == pytest.approx(10.0, rel=1e-6)


def test_relative_depth_has_no_unit_to_convert(tmp_path: Path):
    (tmp_path / "flat").mkdir()
    np.save(tmp_path / "flat/0.npy", np.full((6, 8), 0.05))
    dataset = in_millimetres(40.0)
    batch = collate([(dataset, dataset.evaluation_sample(0))])
    for method in (DepthNetwork(Wall(), "relative_depth"), SavedPredictions(str(tmp_path), "relative_depth")):
        assert method(batch).unique().tolist() == pytest.approx([0.05])


@pytest.mark.parametrize("domain", ["room", "street", "tube", "hall"])
def test_the_synthetic_tube_alone_is_in_millimetres(domain: str):
    settings = tiny.config(f"dataset=synthetic_{domain}", name="eval")["dataset"]
    dataset = build(settings["reader"], split="test")
    low, high = dataset.depth_range
    depth = dataset.read_frame(0).depth
    assert dataset.unit == ("mm" if domain == "tube" else "m")
    assert low < np.median(depth[depth > 0]) < high


def test_endoscopy_is_in_millimetres_and_a_folder_in_what_its_owner_says(tmp_path: Path):
    for name in ("c3vd", "simcol", "nyuv2", "folder"):
        getattr(trees, name)(tmp_path / name)
    assert [opened(name, tmp_path / name).unit for name in ("c3vd", "simcol", "nyuv2")] == ["mm", "mm", "m"]
    in_metres, in_mm = (opened("folder", tmp_path / "folder", **unit) for unit in ({}, {"unit": "mm"}))
    assert (in_metres.unit, in_metres.read_frame(0).depth[5, 5]) == ("m", pytest.approx(1.234))
    assert (in_mm.unit, in_mm.read_frame(0).depth[5, 5]) == ("mm", pytest.approx(1234))


def test_a_checkpoint_says_what_units_it_was_trained_in_and_so_does_what_is_published(tmp_path: Path, caplog):
    near, far = Flat([1, 2], [48] * 2, "near"), Flat([30, 40], [48] * 2, "far")
    far.unit = "mm"
    make_trainer(tmp_path / "run", max_steps=1, sets=[near, far]).fit()
    checkpoint = tmp_path / "run/checkpoints/last.pt"
    publish(read_trained(checkpoint), str(checkpoint), tmp_path / "weights")
    caplog.set_level(logging.INFO)
    for source in (checkpoint, tmp_path / "weights"):
        model = load_model(source)
        assert model.units == {"near": "m", "far": "mm"}
        check_unit(model, "mm", "far")
    assert caplog.messages == []


def test_checkpoints_from_when_all_was_metres_are_refused_for_millimetres(tmp_path: Path):
    make_trainer(tmp_path / "run", max_steps=1).fit()
    state = load_checkpoint(tmp_path / "run/checkpoints/last.pt")
    del state["units"]
    save_checkpoint(tmp_path / "old.pt", state)
    publish(read_trained(tmp_path / "old.pt"), str(tmp_path / "old.pt"), tmp_path / "old")
    for source in (tmp_path / "old.pt", tmp_path / "old"):
        model = load_model(source)
        check_unit(model, "m", "nyuv2")
        with pytest.raises(UserError, match=r"c3vd is in mm.*was trained when depth was metres in every data set"):
            check_unit(model, "mm", "c3vd")


def test_a_unit_that_training_has_not_seen_is_noted(tmp_path: Path, caplog):
    make_trainer(tmp_path / "run", max_steps=1).fit()
    caplog.set_level(logging.INFO)
    check_unit(load_model(tmp_path / "run/checkpoints/last.pt"), "mm", "simcol")
    assert caplog.messages == ["note: simcol is in mm, training had data sets in m only"]
