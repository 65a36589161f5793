from dataclasses import dataclass

import numpy as np
import pytest
import torch
from world import Flat

from tr2m.data.eval_regions import FullFrame
from tr2m.errors import UserError
from tr2m.evaluation.baselines import GlobalFit, LinearFit, MedianScale, fit_global
from tr2m.evaluation.evaluator import evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.types import DepthBatch, Frame

PROTOCOL = Protocol("paper", "m", 1e-3, 10.0, FullFrame())
CPU = torch.device("cpu")


@dataclass(frozen=True)
class TooFar:
    """Predicts a quarter too far everywhere."""

    alignment: str = "none"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        return batch.depth * 1.25


def test_averages_over_images_not_over_pixels_and_counts_what_it_skips():
    # RMSE of a quarter too far: 0.25 * depth. The second image has a quarter of the first one's pixels.
    dataset = Flat(depths=[2.0, 4.0, 6.0], pixels=[48, 12, 9])
    result = evaluate(TooFar(), dataset, PROTOCOL, CPU, workers=0).result
    assert result["metrics"]["rmse"] == pytest.approx((0.5 + 1.0) / 2)
    assert result["metrics"]["abs_rel"] == pytest.approx(0.25)
    assert (result["n_images"], result["n_skipped"], result["skipped"]) == (2, 1, ["flat/2"])


def test_a_result_says_how_it_was_measured():
    result = evaluate(TooFar(), Flat(depths=[2.0], pixels=[48]), PROTOCOL, CPU, workers=0).result
    assert set(result) == {"dataset", "n_images", "n_skipped", "skipped", "metrics", "unit", "protocol"}
    keys = {"range", "crop", "resize", "alignment", "flip_tta", "averaging", "split_sha256", "caption_source"}
    assert keys <= set(result["protocol"])


def test_no_usable_image_is_an_error_that_hints_at_the_unit():
    with pytest.raises(UserError, match=r"flat: none of 1 frames.*unit"):
        evaluate(TooFar(), Flat(depths=[2000.0], pixels=[48]), PROTOCOL, CPU, workers=0)


def test_results_do_not_depend_on_workers():
    dataset = Flat(depths=[2.0, 4.0, 3.0], pixels=[48, 12, 20])
    assert evaluate(TooFar(), dataset, PROTOCOL, CPU, 0).rows == evaluate(TooFar(), dataset, PROTOCOL, CPU, 2).rows


class Ramp(Flat):
    """Depth varies over the image, and relative depth is a perfect affine map of inverse depth."""

    def __init__(self, relative_scale: float, relative_shift: float) -> None:
        super().__init__(depths=[1.0, 1.5], pixels=[0, 0])
        self.relative = relative_scale, relative_shift

    def read_frame(self, index: int) -> Frame:
        # At the network's size, so that nothing is resized on the way.
        depth = np.linspace(1, 5, 28 * 42, dtype=np.float32).reshape(28, 42) * np.float32(self.depths[index])
        scale, shift = np.float32(self.relative[0]), np.float32(self.relative[1])
        return Frame(np.zeros((28, 42, 3), np.uint8), depth, scale / depth + shift)


def test_linear_fit_recovers_a_perfect_relative_model_and_median_does_not():
    dataset = Ramp(2.0, -0.1)
    linear = evaluate(LinearFit(PROTOCOL), dataset, PROTOCOL, CPU, 0).result
    median = evaluate(MedianScale(PROTOCOL), dataset, PROTOCOL, CPU, 0).result
    assert linear["metrics"]["abs_rel"] < 1e-5
    assert median["metrics"]["abs_rel"] > 0.01
    assert "ground truth" in linear["protocol"]["alignment"]


def test_median_recovers_a_pure_scale():
    result = evaluate(MedianScale(PROTOCOL), Ramp(3.0, 0.0), PROTOCOL, CPU, 0).result
    assert result["metrics"]["abs_rel"] < 0.03  # the median of an even number of pixels lies between two


def test_global_fit_finds_the_one_scale_and_shift_of_all_frames():
    fitted = fit_global([(Ramp(2.0, -0.1), PROTOCOL)])
    assert (fitted.scale, fitted.shift) == (pytest.approx(0.5, rel=1e-4), pytest.approx(0.05, rel=1e-3))
    assert evaluate(GlobalFit(fitted.scale, fitted.shift), Ramp(2.0, -0.1), PROTOCOL, CPU, 0).result["metrics"][
        "abs_rel"
    ] == pytest.approx(0, abs=1e-4)


def test_baselines_need_relative_depth():
    with pytest.raises(UserError, match="relative depth"):
        evaluate(LinearFit(PROTOCOL), Flat(depths=[2.0], pixels=[48]), PROTOCOL, CPU, 0)
