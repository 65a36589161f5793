from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from world import Flat

from tr2m.data.eval_regions import FullFrame
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.evaluation.saved_predictions import SavedPredictions

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


def score(folder: Path) -> float:
    method = SavedPredictions(str(folder), "metric_depth", 1000.0)
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


@pytest.mark.parametrize("content", [np.ones((6, 8, 3)), np.full((6, 8), np.nan), np.full((6, 8), "x")])
def test_what_is_no_map_is_refused(folder: Path, content: np.ndarray):
    np.save(folder / "flat/0.npy", content)
    with pytest.raises(UserError, match=r"expected a (finite map|\.npy file of real numbers)"):
        score(folder)


def test_a_broken_file_and_a_missing_folder_are_refused(folder: Path):
    (folder / "flat/0.npy").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"expected a \.npy file of numbers"):
        score(folder)
    with pytest.raises(UserError, match="no folder of predictions"):
        score(folder / "none")
