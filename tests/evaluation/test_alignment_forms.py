"""Alignments on predictions whose right answer is known, and on real frames with a simulated perfect relative model."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from tr2m.data.decoding.decode import read_depth_png
from tr2m.data.eval_regions import FullFrame
from tr2m.evaluation.alignment import (
    ALIGNMENTS,
    DEFAULT_ALIGNMENTS,
    DepthLinearFit,
    LevenbergMarquardtFit,
    LinearFit,
    MedianScale,
    PositiveLinearFit,
    RobustFit,
    uses_ground_truth,
)
from tr2m.evaluation.protocol import Protocol

PROTOCOL = Protocol("paper", 1e-3, 80.0, FullFrame())
DEPTH = torch.linspace(1, 9, 200).reshape(10, 20)


def abs_rel(alignment, relative: torch.Tensor, depth: torch.Tensor = DEPTH) -> float:
    metrics = replace(PROTOCOL, alignment=alignment).score(relative, depth, depth > 0, "relative_depth")
    return metrics["abs_rel"]


@pytest.mark.parametrize("alignment", [LinearFit(), PositiveLinearFit(), LevenbergMarquardtFit(), RobustFit()])
def test_inverse_depth_up_to_scale_and_shift_is_recovered(alignment):
    # 1 / depth = 0.5 * relative + 0.05
    assert abs_rel(alignment, 2 / DEPTH - 0.1) < 1e-4


def test_the_literal_fit_recovers_what_is_linear_in_depth_and_nothing_else():
    assert abs_rel(DepthLinearFit(), (DEPTH - 3) / 2) < 1e-5
    assert abs_rel(DepthLinearFit(), 2 / DEPTH - 0.1) > 0.1


def test_the_robust_fit_shrugs_off_wild_pixels_better_than_least_squares():
    wild = 2 / DEPTH - 0.1
    wild[0, :2] = 8.0
    assert abs_rel(RobustFit(), wild) < abs_rel(LinearFit(), wild) / 2


def test_the_robust_fit_by_hand():
    # Median 2 and mean deviation (2 + 1 + 0 + 1 + 8) / 5 = 2.4, where the median deviation is 1; 3 and 1.2 to match.
    scale, shift = RobustFit().fit(torch.tensor([0.0, 1, 2, 3, 10]), 1 / torch.tensor([1.0, 2, 3, 4, 5]))
    assert (scale, shift) == (pytest.approx(0.5), pytest.approx(2.0))


def test_pixels_without_a_positive_prediction_count_in_one_linear_fit_and_not_in_the_other():
    # 1 / depth = 2 x + 1 but for the pixels at 0 and -1. Over all five: means 1 and 3.6, sum of squares 10, of products
    # 15, so 1.5 and 2.1.
    relative = torch.tensor([0.0, -1, 1, 2, 3])
    depth = 1 / torch.tensor([2.0, 1, 3, 5, 7])
    assert PositiveLinearFit().fit(relative, depth) == (pytest.approx(2.0), pytest.approx(1.0))
    assert LinearFit().fit(relative, depth) == (pytest.approx(1.5), pytest.approx(2.1))
    # One point is no line: the image is unpredicted, not far away.
    for few in (torch.tensor([-2.0, -1, 0]), torch.tensor([-2.0, 0, 3])):
        assert all(map(math.isnan, PositiveLinearFit().fit(few, torch.tensor([1.0, 2, 3]))))
    assert PositiveLinearFit().fit(torch.tensor([1.0, 0, 3]), 1 / torch.tensor([4.0, 9, 10])) == (
        pytest.approx(3.0),
        pytest.approx(1.0),
    )


PER_IMAGE = [
    MedianScale(),
    DepthLinearFit(),
    LinearFit(),
    PositiveLinearFit(),
    LevenbergMarquardtFit(),
    RobustFit(),
]


@pytest.mark.parametrize("alignment", PER_IMAGE, ids=lambda alignment: alignment.name)
def test_pixels_that_are_not_scored_have_no_say(alignment):
    relative = 2 / DEPTH - 0.1
    scored = torch.ones_like(DEPTH, dtype=torch.bool)
    scored[6:] = False
    wrong_relative, wrong_depth = relative.where(scored, 7.0), DEPTH.where(scored, 0.5)
    aligned = alignment(relative, "relative_depth", DEPTH, scored)
    other = alignment(wrong_relative, "relative_depth", wrong_depth, scored)
    assert torch.equal(aligned[scored], other[scored])
    everything = alignment(wrong_relative, "relative_depth", wrong_depth, torch.ones_like(scored))
    assert not torch.allclose(aligned[scored], everything[scored])


def test_a_relative_depth_of_zero_counts_as_a_thousandth():
    # Median scaling: 1 / max(D, 0.001) is 1000, 1 and 0.5, its median 1, that of depth 3: three times as much.
    everything = torch.ones(1, 3, dtype=torch.bool)
    aligned = MedianScale()(torch.tensor([[0.0, 1, 2]]), "relative_depth", torch.tensor([[9.0, 3, 2]]), everything)
    assert aligned.tolist() == [[pytest.approx(3000.0), pytest.approx(3.0), pytest.approx(1.5)]]
    # A positive scale and shift that are fitted to 1 / (2 D + 0.5) with D = 0.001 where the prediction is negative.
    relative = torch.tensor([-5.0, 1, 2, 3])
    factors = LevenbergMarquardtFit().fit(relative, 1 / (2 * relative.clamp(min=1e-3) + 0.5))
    assert factors == (pytest.approx(2.0, rel=1e-4), pytest.approx(0.5, rel=1e-4))


def test_positive_factors_cannot_turn_a_prediction_upside_down():
    upside_down = -1 / DEPTH + 2
    assert abs_rel(LinearFit(), upside_down) < 1e-4
    assert abs_rel(LevenbergMarquardtFit(), upside_down) > 0.1


def test_each_kind_has_a_usual_alignment():
    assert {kind: alignment.name for kind, alignment in DEFAULT_ALIGNMENTS.items()} == {
        "metric_depth": "none",
        "relative_depth": "linear_fit",
    }


@pytest.mark.parametrize("alignment", PER_IMAGE, ids=lambda alignment: alignment.name)
@pytest.mark.parametrize("kind", ["metric_depth", "relative_depth"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_pixel_that_is_no_number_spoils_no_fit_and_is_counted(alignment, kind: str, value: float):
    prediction = 1.3 * DEPTH if kind == "metric_depth" else 2 / DEPTH + 0.1
    scored = torch.ones_like(DEPTH, dtype=torch.bool)
    scored[3, 3] = False
    protocol = replace(PROTOCOL, alignment=alignment)
    expected = protocol.score(prediction, DEPTH, scored, kind)["abs_rel"]
    broken = prediction.where(scored, value)
    got = protocol.score(broken, DEPTH, torch.ones_like(scored), kind)
    # Of 200 pixels one is wrong: at most as far as 80 m are from its depth.
    worst = (80 / DEPTH[3, 3].item() - 1) / 200
    assert got["abs_rel"] == pytest.approx((expected * 199) / 200, abs=worst + 1e-4)
    assert got["nonfinite_pixels"] == 1
    # Nor where it does not count.
    assert protocol.score(broken, DEPTH, scored, kind)["abs_rel"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("alignment", [LinearFit(), PositiveLinearFit(), LevenbergMarquardtFit(), RobustFit()])
@pytest.mark.parametrize("value", [0.0, -2.0])
def test_metric_depth_that_is_not_positive_has_no_inverse_to_fit(alignment, value: float):
    prediction = 1.3 * DEPTH
    prediction[3, 3] = value
    metrics = replace(PROTOCOL, alignment=alignment).score(prediction, DEPTH, DEPTH > 0)
    # It is scored as the nearest depth: AbsRel 1 at one of 200 pixels.
    assert metrics["abs_rel"] == pytest.approx(1 / 200, abs=1e-4)
    assert metrics["nonfinite_pixels"] == 1


@pytest.mark.parametrize("alignment", PER_IMAGE, ids=lambda alignment: alignment.name)
def test_a_prediction_without_a_finite_pixel_is_counted_whole(alignment):
    for kind in ("metric_depth", "relative_depth"):
        metrics = replace(PROTOCOL, alignment=alignment).score(DEPTH * math.nan, DEPTH, DEPTH > 0, kind)
        assert metrics["nonfinite_pixels"] == DEPTH.numel()


@pytest.mark.skipif("TR2M_SAMPLES" not in os.environ, reason="needs real frames")
@pytest.mark.parametrize(
    ("pattern", "units_per_metre"), [("kitti/annotated/**/*.png", 256.0), ("nyuv2/sync/**/sync_depth_*.png", 1000.0)]
)
def test_a_perfect_relative_model_on_real_depth(pattern: str, units_per_metre: float):
    """It must be fitted in inverse depth: delta1 is 1 there, and clearly less when fitted in depth."""
    delta1: dict[str, list[float]] = {}
    for path in sorted(Path(os.environ["TR2M_SAMPLES"]).glob(pattern)):
        depth = torch.from_numpy(read_depth_png(path, units_per_metre))
        relative = torch.where(depth > 0, 40 / depth.clamp(min=1e-3) - 40 / 100, 0.0)
        for alignment in (LinearFit(), DepthLinearFit()):
            metrics = replace(PROTOCOL, alignment=alignment).score(relative, depth, depth > 0, "relative_depth")
            delta1.setdefault(alignment.name, []).append(metrics["delta1"])
    means = {name: np.mean(values) for name, values in delta1.items()}
    assert len(delta1["linear_fit"]) >= 3
    assert means["linear_fit"] == 1.0
    assert means["depth_fit"] < 0.95


def test_every_configured_alignment_states_whether_it_uses_the_ground_truth():
    kinds = {kind.name: kind for kind in ALIGNMENTS}
    for path in (tiny.CONFIGS / "alignment").glob("*.yaml"):
        assert path.stem in kinds
        assert uses_ground_truth(path.stem) == ("uses ground truth" in kinds[path.stem].description)
    assert [name for name in kinds if not uses_ground_truth(name)] == ["none", "global"]
