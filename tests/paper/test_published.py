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


def compare_with_paper(result: dict[str, Any], *overrides: str) -> str:
    return published.compare_with_paper(result, overrides, CONFIGS)


def result(dataset: str = "kitti", images: int = 652, skipped: int = 0, **changes: Any) -> dict[str, Any]:
    """A result of the authors' checkpoint that rounds to what the paper prints, but for `changes`."""
    facts = {"method": "tr2m_released", "captions": "correct", "precision": "float32"}
    facts |= {name: changes.pop(name) for name in list(changes) if name in facts}
    metrics = {metric: float(digits) + 4e-4 for metric, digits in printed_numbers(dataset).items()} | changes
    protocol = {"name": "released", "alignment": "none"}
    return {
        "dataset": dataset,
        "n_images": images,
        "n_skipped": skipped,
        "metrics": metrics,
        "protocol": protocol,
        **facts,
    }


def test_the_printed_numbers_are_those_of_the_paper():
    assert printed_numbers("kitti") == KITTI
    assert printed_numbers("c3vd") == {"abs_rel": "0.092", "rmse": "2.952", "delta1": "0.918"}
    assert printed_numbers("ibims") == {"abs_rel": "0.154", "delta1": "0.736"}
    assert all(printed_numbers(name) for name in SETS)
    assert printed_numbers("synthetic_room") == {}
    assert tuple(sorted(yaml.safe_load((CONFIGS / "published.yaml").read_text()))) == tuple(sorted(SETS))


def test_agreement_to_the_printed_digits():
    text = compare_with_paper(result())
    assert "abs_rel  paper 0.066  here 0.066  +0.0004  =" in text
    assert text.splitlines()[-2:] == [
        "  rmse     paper 2.328  here 2.328  +0.0004  =",
        "agrees with the paper to the printed digits",
    ]


def test_one_digit_off_does_not_agree():
    text = compare_with_paper(result(rmse=2.3286))
    assert "rmse     paper 2.328  here 2.329  +0.0006  differs" in text
    assert text.endswith("\ndoes not agree with the paper to the printed digits")


CHANGED = ["dataset.reader.input_size=[140,182]", "sentence=a room", "caption_file=a.sqlite", "+dataset.reader.x=1"]


@pytest.mark.parametrize(
    ("changes", "overrides", "reason"),
    [
        ({"method": "mixed4"}, (), "the checkpoint is not the authors' (ckpt=released), but mixed4"),
        ({"captions": "average"}, (), "captions=average"),
        ({"images": 600}, (), "600 frames of 652"),
        ({"images": 697}, (), "697 frames of 652"),
        ({}, CHANGED, "; ".join(CHANGED)),
    ],
)
def test_what_is_no_reproduction_says_so(changes: dict[str, Any], overrides: list[str], reason: str):
    text = compare_with_paper(result(**changes), *overrides)
    assert text.splitlines()[-1] == f"not a reproduction: {reason}"


def test_options_that_change_nothing_of_the_protocol_are_no_reason():
    options = ["ckpt=released", "dataset=kitti", "protocol=released", "root=/data/kitti", "workers=4"]
    options += ["dataset.reader.root=/data/kitti", "dataset.protocols.released.reader.root=/data", "precision=float32"]
    assert compare_with_paper(result(), *options).endswith("\nagrees with the paper to the printed digits")


def test_another_precision_and_other_sentences_are_named_beside_the_verdict():
    text = compare_with_paper(result(precision="bfloat16"))
    assert text.splitlines()[-2] == "computed in bfloat16, the paper's in float32: precision=float32"
    for name in SETS:
        said = "the authors' captions of these frames are not published" in compare_with_paper(result(name))
        assert said == (name in ("sunrgbd", "ibims", "hypersim", "diode")), name


def test_skipped_images_are_frames_too_and_an_alignment_is_no_reproduction():
    assert compare_with_paper(result(images=650, skipped=2)).endswith("\nagrees with the paper to the printed digits")
    aligned = result()
    aligned["protocol"]["alignment"] = "median"
    assert compare_with_paper(aligned).endswith("\nnot a reproduction: predictions are aligned (median)")


def test_where_no_count_is_known_that_is_said():
    text = compare_with_paper(result("hypersim", 7690))
    assert text.endswith("not a reproduction: how many frames the paper scored is not known, here 7,690")


def test_other_protocols_and_other_data_are_not_compared():
    other = result()
    other["protocol"]["name"] = "paper"
    assert compare_with_paper(other) == ""
    assert compare_with_paper(result() | {"dataset": "synthetic_room"}) == ""


def test_eval_prints_the_comparison_under_released_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("released", "paper"):
        sets = [EvaluationSet(Flat([2.0], [48], "nyuv2"), Protocol(name, 1e-3, 10.0, FullFrame()))]
        evaluations = evaluate(Perfect(), sets, torch.device("cpu"), 0)
        facts = {"method": "tr2m_released", "captions": "correct", "precision": "float32"}
        write(evaluations, tmp_path, facts, "paper", [])
        printed = capsys.readouterr().out
        assert ("abs_rel  paper 0.082  here 0.000  -0.0820  differs" in printed) == (name == "released")
        assert ("not a reproduction: 1 frames of 654" in printed) == (name == "released")
