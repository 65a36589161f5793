"""The paper's numbers beside a result: agreement to the printed digits, and when the comparison does not apply."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from world import Flat

from tr2m.cli.eval import write
from tr2m.data.eval_regions import FullFrame
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.paper import published
from tr2m.shipped import shipped
from tr2m.types import DepthBatch

CONFIGS = shipped("configs")
SETS = ("nyuv2", "kitti", "void", "c3vd", "sunrgbd", "ibims", "hypersim", "diode", "simcol")
KITTI = {
    "delta1": "0.965",
    "delta2": "0.996",
    "delta3": "0.999",
    "abs_rel": "0.066",
    "rmse_log": "0.093",
    "rmse": "2.328",
}


@dataclass(frozen=True)
class Perfect:
    """Predicts the ground truth."""

    kind: str = "metric_depth"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        return batch.depth


def printed_numbers(dataset: str) -> dict[str, str]:
    return published.printed_numbers(dataset, CONFIGS)


def compare_with_paper(*arguments: Any) -> str:
    return published.compare_with_paper(*arguments, CONFIGS)


def what_differs(*arguments: Any) -> list[str]:
    return published.what_differs(*arguments, CONFIGS)


def result(dataset: str = "kitti", images: int = 652, skipped: int = 0, **changes: Any) -> dict[str, Any]:
    """A result that rounds to what the paper prints, but for `changes`."""
    metrics = {metric: float(digits) + 4e-4 for metric, digits in printed_numbers(dataset).items()} | changes
    protocol = {"name": "released", "alignment": "none"}
    return {
        "dataset": dataset,
        "n_images": images,
        "n_skipped": skipped,
        "metrics": metrics,
        "protocol": protocol,
    }


def test_the_printed_numbers_are_those_of_the_paper():
    assert printed_numbers("kitti") == KITTI
    assert printed_numbers("c3vd") == {"abs_rel": "0.092", "rmse": "2.952", "delta1": "0.918"}
    assert printed_numbers("ibims") == {"abs_rel": "0.154", "delta1": "0.736"}
    assert all(printed_numbers(name) for name in SETS)
    assert printed_numbers("synthetic_room") == {}
    assert tuple(sorted(yaml.safe_load((CONFIGS / "published.yaml").read_text()))) == tuple(sorted(SETS))


def test_agreement_to_the_printed_digits():
    text = compare_with_paper(result(), "tr2m_released", "correct")
    assert "abs_rel  paper 0.066  here 0.066  +0.0004  =" in text
    assert text.endswith("\nagrees with the paper to the printed digits")


def test_one_digit_off_does_not_agree():
    text = compare_with_paper(result(rmse=2.3286), "tr2m_released", "correct")
    assert "rmse     paper 2.328  here 2.329  +0.0006  differs" in text
    assert text.endswith("\ndoes not agree with the paper to the printed digits")


@pytest.mark.parametrize(
    ("method", "captions", "changes", "reason"),
    [
        ("mixed4", "correct", {}, "the checkpoint is not the authors' (ckpt=released), but mixed4"),
        ("tr2m_released", "average", {}, "captions=average"),
        ("tr2m_released", "correct", {"images": 600}, "600 frames of 652"),
    ],
)
def test_what_is_no_reproduction_says_so(method: str, captions: str, changes: dict[str, int], reason: str):
    text = compare_with_paper(result(**changes), method, captions)
    assert text.splitlines()[-1] == f"not a reproduction: {reason}"


def test_skipped_images_are_frames_too_and_an_alignment_is_no_reproduction():
    assert what_differs(result(images=650, skipped=2), "tr2m_released", "correct") == []
    aligned = result()
    aligned["protocol"]["alignment"] = "median"
    assert what_differs(aligned, "tr2m_released", "correct") == ["predictions are aligned (median)"]


def test_where_no_count_is_known_that_is_said():
    text = compare_with_paper(result("hypersim", 7690), "tr2m_released", "correct")
    assert text.endswith("not a reproduction: how many frames the paper scored is not known, here 7,690")


def test_other_protocols_and_other_data_are_not_compared():
    other = result()
    other["protocol"]["name"] = "paper"
    assert compare_with_paper(other, "tr2m_released", "correct") == ""
    room = result() | {"dataset": "synthetic_room"}
    assert compare_with_paper(room, "tr2m_released", "correct") == ""


def test_eval_prints_the_comparison_under_released_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("released", "paper"):
        sets = [EvaluationSet(Flat([2.0], [48], "nyuv2"), Protocol(name, 1e-3, 10.0, FullFrame()))]
        evaluations = evaluate(Perfect(), sets, torch.device("cpu"), 0)
        write(evaluations, tmp_path, {"method": "tr2m_released", "captions": "correct"}, "paper")
        printed = capsys.readouterr().out
        assert ("abs_rel  paper 0.082  here 0.000  -0.0820  differs" in printed) == (name == "released")
        assert ("not a reproduction: 1 frames of 654" in printed) == (name == "released")
