import json
import resource
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from world import Flat

from tr2m.data.eval_regions import FullFrame, PixelBox
from tr2m.errors import UserError
from tr2m.evaluation.alignment import LinearFit, MedianScale, Unaligned
from tr2m.evaluation.depth_network import DepthNetwork
from tr2m.evaluation.evaluator import Evaluation, EvaluationSet, ModelMethod, evaluate
from tr2m.evaluation.global_fit import fit_global, global_fit_for
from tr2m.evaluation.protocol import Protocol
from tr2m.evaluation.report import save_evaluation
from tr2m.models.frozen.relative_depth import StoredRelativeDepth
from tr2m.types import DepthBatch, Frame

PROTOCOL = Protocol("paper", 1e-3, 10.0, FullFrame())
CPU = torch.device("cpu")
RELATIVE = DepthNetwork(StoredRelativeDepth(), "relative_depth")


@dataclass(frozen=True)
class TooFar:
    """Predicts a quarter too far everywhere."""

    kind: str = "metric_depth"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        return batch.depth * 1.25


def score(method, dataset, protocol=PROTOCOL, workers=0) -> Evaluation:
    return evaluate(method, [EvaluationSet(dataset, protocol)], CPU, workers)[0]


def aligned(alignment, dataset) -> dict:
    return score(RELATIVE, dataset, replace(PROTOCOL, alignment=alignment)).result


def test_averages_over_images_not_over_pixels_and_counts_what_it_skips():
    # RMSE of a quarter too far: 0.25 * depth. The second image has a quarter of the first one's pixels.
    dataset = Flat(depths=[2.0, 4.0, 6.0], pixels=[48, 12, 9])
    result = score(TooFar(), dataset).result
    assert result["metrics"]["rmse"] == pytest.approx((0.5 + 1.0) / 2)
    assert result["metrics"]["abs_rel"] == pytest.approx(0.25)
    assert (result["n_images"], result["n_skipped"], result["skipped"]) == (2, 1, ["flat/2"])


def test_a_result_says_how_it_was_measured():
    result = score(TooFar(), Flat(depths=[2.0], pixels=[48])).result
    counts = {"n_images", "n_skipped", "skipped", "nonfinite_pixels"}
    assert set(result) == {"dataset", *counts, "metrics", "unit", "protocol"}
    keys = {"range", "crop", "resize", "alignment", "flip_tta", "averaging", "split_sha256", "caption_source"}
    assert keys <= set(result["protocol"])


def test_no_usable_image_is_an_error_that_hints_at_the_unit():
    with pytest.raises(UserError, match=r"flat: none of 1 frames.*unit"):
        score(TooFar(), Flat(depths=[2000.0], pixels=[48]))


@dataclass
class Sizes:
    """Predicts the depth of the first pixel in the image, and notes which frames it sees together."""

    seen: list[list[str]]
    kind: str = "metric_depth"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        self.seen.append(batch.sample_ids)
        return 1 + batch.image[:, 0] + batch.image[:, :1, :1, :1].mean(dim=1)


class TwoSizes(Flat):
    """The ground truth of the third frame is larger."""

    def read_frame(self, index: int) -> Frame:
        frame = super().read_frame(index)
        return replace(frame, depth=np.repeat(frame.depth, 2, axis=0)) if index == 2 else frame


@pytest.mark.parametrize("flip", [False, True])
def test_frames_of_one_size_are_predicted_together_and_scored_alike(flip: bool):
    dataset = TwoSizes([2.0, 3.0, 2.5, 1.5, 2.2, 1.8], [48, 30, 48, 9, 48, 48])
    protocol = replace(PROTOCOL, flip_tta=flip)
    alone, together = Sizes([]), Sizes([])
    (expected,) = evaluate(alone, [EvaluationSet(dataset, protocol)], CPU, 0)
    drawn: dict[int, tuple[list[str], torch.Tensor]] = {}
    (got,) = evaluate(
        together,
        [EvaluationSet(dataset, protocol)],
        CPU,
        0,
        lambda number, frame, prediction: drawn.update({number: (frame.sample_ids, prediction)}),
        batch_size=2,
    )
    assert together.seen[:: 1 + flip] == [["flat/0", "flat/1"], ["flat/2"], ["flat/3", "flat/4"], ["flat/5"]]
    assert alone.seen[:: 1 + flip] == [[name] for name in dataset.sample_ids]
    assert got == expected
    assert [drawn[number][0] for number in range(6)] == [[name] for name in dataset.sample_ids]
    assert all(prediction.shape == (28, 42) for _, prediction in drawn.values())


def test_a_models_result_does_not_depend_on_the_batch():
    model, _, _ = tiny.parts()
    dataset = Flat([2.0, 3.0, 2.5], [48, 30, 48])
    scored = [EvaluationSet(dataset, PROTOCOL), EvaluationSet(dataset, replace(PROTOCOL, name="flip", flip_tta=True))]
    expected, got = (evaluate(ModelMethod(model.eval()), scored, CPU, 0, batch_size=size) for size in (1, 3))
    for one, other in zip(expected, got, strict=True):
        for row, same in zip(one.rows, other.rows, strict=True):
            assert row == {name: value if name == "sample_id" else pytest.approx(value) for name, value in same.items()}


def test_results_do_not_depend_on_workers():
    dataset = Flat(depths=[2.0, 4.0, 3.0], pixels=[48, 12, 20])
    assert score(TooFar(), dataset).rows == score(TooFar(), dataset, workers=2).rows


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
    linear, median = aligned(LinearFit(), Ramp(2.0, -0.1)), aligned(MedianScale(), Ramp(2.0, -0.1))
    assert linear["metrics"]["abs_rel"] < 1e-5
    assert median["metrics"]["abs_rel"] > 0.01
    assert linear["protocol"]["alignment"] == "linear_fit"
    assert "ground truth" in linear["protocol"]["alignment_description"]


def test_median_recovers_a_pure_scale():
    # The median of an even number of pixels lies between two.
    assert aligned(MedianScale(), Ramp(3.0, 0.0))["metrics"]["abs_rel"] < 0.03


def test_alignment_goes_by_the_kind_of_the_prediction():
    protocol = replace(PROTOCOL, alignment=MedianScale())
    assert score(TooFar(), Ramp(1.0, 0.0), protocol).result["metrics"]["abs_rel"] == pytest.approx(0, abs=1e-6)
    protocol = replace(PROTOCOL, alignment=LinearFit())
    assert score(TooFar(), Ramp(1.0, 0.0), protocol).result["metrics"]["abs_rel"] == pytest.approx(0, abs=1e-5)
    with pytest.raises(UserError, match="no unit"):
        aligned(Unaligned(), Ramp(1.0, 0.0))


def test_global_fit_finds_the_one_scale_and_shift_of_all_frames():
    dataset = Ramp(2.0, -0.1)
    fitted = fit_global(RELATIVE, [EvaluationSet(dataset, PROTOCOL)], CPU)
    assert (fitted.scale, fitted.shift) == (pytest.approx(0.5, rel=1e-4), pytest.approx(0.05, rel=1e-3))
    assert aligned(fitted, dataset)["metrics"]["abs_rel"] == pytest.approx(0, abs=1e-4)


@dataclass
class Broken:
    """The right metric depth, but for four pixels that no fit can use; or none at all."""

    everywhere: bool = False
    kind: str = "metric_depth"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        depth = batch.depth.clone()
        depth[:, 0, :4] = torch.tensor([0.0, -1.0, torch.nan, torch.inf])
        return depth * torch.nan if self.everywhere else depth


def test_a_global_fit_leaves_out_what_is_not_finite_and_refuses_a_set_without_the_rest():
    fitted = fit_global(Broken(), [EvaluationSet(Ramp(1.0, 0.0), PROTOCOL)], CPU)
    assert (fitted.scale, fitted.shift) == (pytest.approx(1, rel=1e-5), pytest.approx(0, abs=1e-5))
    with pytest.raises(
        UserError, match=r"global: no scale and shift fit the training frames of \w+: .* none is finite"
    ):
        fit_global(Broken(everywhere=True), [EvaluationSet(Ramp(1.0, 0.0), PROTOCOL)], CPU)


def test_a_global_fit_takes_own_training_frames_else_all_and_needs_some():
    near, far, unseen = (EvaluationSet(Ramp(scale, 0.0), PROTOCOL) for scale in (2.0, 4.0, 3.0))
    near.dataset.name, far.dataset.name, unseen.dataset.name = "near", "far", "unseen"
    own, both = (fit_global(RELATIVE, sets, CPU) for sets in ([near], [near, far]))
    assert own != both
    assert global_fit_for(near, [near, far], RELATIVE, CPU) == own
    assert global_fit_for(unseen, [near, far], RELATIVE, CPU) == both
    with pytest.raises(UserError, match="fitted on training frames, and unseen has none"):
        global_fit_for(unseen, [], RELATIVE, CPU)


def test_baselines_need_relative_depth():
    with pytest.raises(UserError, match="relative depth"):
        aligned(LinearFit(), Flat(depths=[2.0], pixels=[48]))


class Halved(Ramp):
    """The same frames with ground truth decoded to half, and the first frame left out."""

    def __init__(self) -> None:
        super().__init__(1.0, 0.0)
        self.sample_ids, self.depths = self.sample_ids[1:], self.depths[1:]

    def read_frame(self, index: int) -> Frame:
        frame = super().read_frame(index)
        return replace(frame, depth=frame.depth / 2)


@dataclass
class Counting:
    """Predicts the inverse of the given relative depth, and counts how often it is asked."""

    kind: str = "metric_depth"
    calls: int = 0

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        self.calls += 1
        return 1 / batch.relative_depth


@pytest.mark.parametrize(("batch_size", "calls"), [(1, 2), (2, 2)])
def test_protocols_that_read_differently_share_one_pass_of_the_method(batch_size: int, calls: int):
    # The first frame is in two of three readings only, so it is never together with the second.
    method, dataset, box = Counting(), Ramp(1.0, 0.0), PixelBox(0, 14, 0, 42)
    scored = [
        EvaluationSet(dataset, PROTOCOL),
        EvaluationSet(dataset, replace(PROTOCOL, name="box", region=box)),
        EvaluationSet(Halved(), replace(PROTOCOL, name="clean")),
    ]
    paper, boxed, clean = evaluate(method, scored, CPU, 0, batch_size=batch_size)
    assert method.calls == calls
    assert [len(e.rows) for e in (paper, boxed, clean)] == [2, 2, 1]
    assert paper.result["metrics"]["abs_rel"] == pytest.approx(0, abs=1e-6)
    assert clean.result["metrics"]["abs_rel"] == pytest.approx(1, rel=1e-5)
    assert boxed.result["protocol"]["crop"] == "rows 0:14, columns 0:42"
    assert clean.result["protocol"]["split_sha256"] != paper.result["protocol"]["split_sha256"]


@dataclass(frozen=True)
class LeftIsNearer:
    """Two metres in the left half, four in the right, whatever the image shows."""

    kind: str = "metric_depth"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        return torch.tensor([2.0, 4.0]).repeat_interleave(21).expand(len(batch.image), 28, 42)


def test_flip_averages_with_the_mirrored_prediction():
    plain = score(LeftIsNearer(), Flat(depths=[3.0], pixels=[48])).result
    flipped = score(LeftIsNearer(), Flat(depths=[3.0], pixels=[48]), replace(PROTOCOL, flip_tta=True)).result
    assert plain["metrics"]["abs_rel"] == pytest.approx(1 / 3, rel=0.2)
    assert flipped["metrics"]["abs_rel"] == pytest.approx(0, abs=1e-6)
    assert flipped["protocol"]["flip_tta"] is True


def test_a_full_disk_leaves_the_old_result_and_a_message(tmp_path: Path):
    evaluation = score(TooFar(), Flat(depths=[2.0] * 300, pixels=[48] * 300))
    path = save_evaluation(evaluation, tmp_path, "flat", {"method": "old"})
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"flat.json cannot be written \(File too large\)"):
            save_evaluation(evaluation, tmp_path, "flat", {"method": "new"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert json.loads(path.read_text())["method"] == "old"
