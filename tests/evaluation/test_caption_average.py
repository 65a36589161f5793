import math

import tiny
import torch
from world import Flat

from tr2m.data.eval_regions import FullFrame
from tr2m.evaluation.caption_average import CaptionAverage, average_over_captions
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol


def test_the_mean_is_that_of_the_logarithms_and_the_spread_their_deviation():
    model, _, _ = tiny.parts()
    image = tiny.batch(size=1).image
    near, far = (model(image, [caption]).metric_depth for caption in ("a kitchen", "a wide street"))
    output, spread = average_over_captions(model, image, ["a kitchen", "a wide street"])
    torch.testing.assert_close(output.metric_depth, (near * far).sqrt())
    torch.testing.assert_close(spread, (near / far).log().abs() / 2, atol=1e-6, rtol=1e-4)
    assert spread.max() > 1e-4


def test_one_caption_has_no_spread_and_a_map_that_is_switched_off_stays_so():
    model, _, _ = tiny.parts("model/head@model.shift_head=zero")
    image = tiny.batch(size=1).image
    output, spread = average_over_captions(model, image, ["a kitchen"])
    torch.testing.assert_close(output.metric_depth, model(image, ["a kitchen"]).metric_depth)
    assert (spread == 0).all()
    assert (output.shift_map == 0).all()


def test_evaluation_reads_all_captions_of_each_frame():
    model, _, _ = tiny.parts()
    dataset = Flat([2.0, 3.0], [48, 48])
    method = CaptionAverage(model, dataset)
    (evaluation,) = evaluate(
        method, [EvaluationSet(dataset, Protocol("paper", "m", 1e-3, 10.0, FullFrame()))], torch.device("cpu"), 0
    )
    assert [row["sample_id"] for row in evaluation.rows] == list(method.spreads) == dataset.sample_ids
    assert all(0 < spread < 1 and math.isfinite(spread) for spread in method.spreads.values())
