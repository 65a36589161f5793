from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from world import Flat

from tr2m.build import build
from tr2m.data.eval_regions import FullFrame
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.evaluation.saved_predictions import SavedPredictions
from tr2m.experiment.baselines import build_baseline
from tr2m.experiment.settings import BaselineSettings

PROTOCOL = Protocol("paper", 1e-3, 10.0, FullFrame())
DATASET = Flat([2.0, 4.0, 3.0], [48, 48, 48])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A quarter too far in every format: metres in .npy and .npz, millimetres in 16-bit PNG."""
    (tmp_path / "flat").mkdir()
    np.save(tmp_path / "flat/0.npy", np.full((6, 8), 2500.0))
    np.savez(tmp_path / "flat/1.npz", depth=np.full((6, 8), 5000, np.int32))
    cv2.imwrite(str(tmp_path / "flat/2.png"), np.full((6, 8), 3750, np.uint16))
    return tmp_path


def score(folder: Path, units: float = 1000.0) -> float:
    method = SavedPredictions(str(folder), "metric_depth", units)
    method.check(DATASET)
    result = evaluate(method, [EvaluationSet(DATASET, PROTOCOL)], torch.device("cpu"), 0)[0].result
    return result["metrics"]["abs_rel"]


def test_every_format_is_read_in_its_unit(folder: Path):
    assert score(folder) == pytest.approx(0.25, rel=1e-5)


def test_missing_and_surplus_files_are_listed(folder: Path):
    (folder / "flat/1.npz").rename(folder / "flat/one.npz")
    with pytest.raises(UserError, match=r"got 3 predictions, expected 3.*1 missing: flat/1\. 1 of no frame: flat/one"):
        score(folder)


def test_a_frame_with_two_files_is_refused(folder: Path):
    np.save(folder / "flat/2.npy", np.ones((6, 8)))
    with pytest.raises(UserError, match="got 2 files for flat/2"):
        score(folder)


def test_another_size_is_refused(folder: Path):
    np.save(folder / "flat/0.npy", np.ones((3, 4)))
    with pytest.raises(UserError, match=r"got a map of \(3, 4\), expected \(6, 8\)"):
        score(folder)


def test_a_suffix_in_capitals_is_none_the_less_one(folder: Path):
    for name in ("0.npy", "1.npz", "2.png"):
        path = folder / "flat" / name
        path.rename(path.with_suffix(path.suffix.upper()))
    assert score(folder) == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_eight_bits_are_no_depth(folder: Path, kind: type):
    np.save(folder / "flat/0.npy", np.full((6, 8), 3, kind))
    with pytest.raises(UserError, match=r"got u?int8 of shape \(6, 8\), expected a map .* of more than 8 bits"):
        score(folder)


@pytest.mark.parametrize(("value", "units"), [(1e300, 1000.0), (np.nan, 1000.0), (-np.inf, 1000.0), (1e10, 1e-30)])
def test_what_is_not_finite_in_float32_is_refused(folder: Path, value: float, units: float):
    values = np.full((6, 8), 2500.0)
    values[1, 2] = value
    np.save(folder / "flat/0.npy", values)
    with pytest.raises(UserError, match=r"0\.npy: got values from .*, expected a map that is finite in float32"):
        score(folder, units)


@pytest.mark.parametrize("units", [0, -1000.0, float("nan"), float("inf")])
def test_units_are_positive_and_finite(units: float):
    entry = {"_target_": "tr2m.evaluation.saved_predictions.SavedPredictions", "root": "x", "kind": "metric_depth"}
    with pytest.raises(UserError, match=r"baseline\.method\.units_per_metre = .*, expected float, above 0"):
        build({**entry, "units_per_metre": units}, "baseline.method")


@pytest.mark.parametrize("by_protocol", [True, False])
def test_saved_maps_are_not_averaged_with_their_own_mirror_images(folder: Path, by_protocol: bool):
    entry = {"_target_": "tr2m.evaluation.saved_predictions.SavedPredictions", "kind": "metric_depth"}
    baseline = BaselineSettings("other", {**entry, "root": str(folder)}, flip_tta=not by_protocol)
    sets = [EvaluationSet(DATASET, replace(PROTOCOL, flip_tta=by_protocol))]
    with pytest.raises(UserError, match=r"flip_tta: .* has no predictions for the mirrored images"):
        build_baseline(baseline, sets, torch.device("cpu"))


@pytest.mark.parametrize("content", [np.ones((6, 8, 3)), np.full((6, 8), "x")])
def test_what_is_no_map_is_refused(folder: Path, content: np.ndarray):
    np.save(folder / "flat/0.npy", content)
    with pytest.raises(UserError, match=r"expected a (map|\.npy file of real numbers)"):
        score(folder)


def test_a_broken_file_and_a_missing_folder_are_refused(folder: Path):
    (folder / "flat/0.npy").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"expected a \.npy file of numbers"):
        score(folder)
    with pytest.raises(UserError, match="no folder of predictions"):
        score(folder / "none")
