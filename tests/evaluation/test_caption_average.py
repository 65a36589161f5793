import math

import pytest
import tiny
import torch
from world import Flat

from tr2m.data.eval_regions import FullFrame
from tr2m.data.mixing import collate
from tr2m.evaluation.caption_average import CaptionAverage, average_over_captions
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.models.contract import RescalingModel
from tr2m.types import DepthBatch, TR2MOutput


def test_the_mean_is_that_of_the_logarithms_and_the_spread_their_deviation():
    model, _, _ = tiny.parts()
    image = tiny.batch(size=1).image
    near, far = (model(image, [caption]).metric_depth for caption in ("a kitchen", "a wide street"))
    output, spread = average_over_captions(model, model.encode(image, ["a kitchen"]), [["a kitchen", "a wide street"]])
    torch.testing.assert_close(output.metric_depth, (near * far).sqrt())
    torch.testing.assert_close(spread, (near / far).log().abs() / 2, atol=1e-6, rtol=1e-4)
    assert spread.max() > 1e-4


class Scripted(RescalingModel):
    """Its features are the caption and the image's size; the caption sets its maps."""

    size_multiple = 1

    def encode(self, image, captions, relative_depth=None, image_tokens=None):
        return captions[0], image.shape[-2:]

    def with_captions(self, features, captions):
        return captions[0], features[1]

    def rescale(self, features):
        caption, size = features
        scale, shift, depth = {"near": (2.0, 3.0, 1.0), "far": (8.0, 12.0, 4.0), "farther": (4.0, 6.0, 16.0)}[caption]
        maps = [torch.full((1, *size), value) for value in (depth, scale, shift)]
        return TR2MOutput(torch.zeros(1, 2, 1), (1, 2), *maps)

    def fingerprints(self):
        return {}


def test_the_mean_of_known_maps():
    # By hand: the cube root of 1 * 4 * 16 is 4, of 2 * 8 * 4 is 4, of 3 * 12 * 6 is 6; ln 1, ln 4, ln 16 spread by
    # ln 4 * sqrt(2 / 3). Arithmetic means would be 7, 4.67 and 7.
    model = Scripted()
    features = model.encode(torch.zeros(1, 3, 1, 2), ["near"])
    output, spread = average_over_captions(model, features, [["near", "far", "farther"]])
    for values, expected in (
        (output.metric_depth, 4.0),
        (output.scale_map, 4.0),
        (output.shift_map, 6.0),
        (spread, math.log(4) * math.sqrt(2 / 3)),
    ):
        torch.testing.assert_close(values, torch.full((1, 1, 2), expected))


def test_what_is_scored_is_the_mean():
    class Two(Flat):
        description = "two lines"

        def lines(self, split, sample_id):
            return ["near", "far"]

    dataset = Two([2.0], [48])
    dataset.captions = dataset
    batch = collate([(dataset, dataset.evaluation_sample(0))]).to(torch.device("cpu"))
    method = CaptionAverage(Scripted(), dataset)
    torch.testing.assert_close(method(batch), torch.full((1, 28, 42), 2.0))
    assert method.spreads == {"flat/0": pytest.approx(math.log(2))}


def test_one_caption_has_no_spread_and_a_map_that_is_switched_off_stays_so():
    model, _, _ = tiny.parts("model/head@model.shift_head=zero")
    image = tiny.batch(size=1).image
    output, spread = average_over_captions(model, model.encode(image, ["a kitchen"]), [["a kitchen"]])
    torch.testing.assert_close(output.metric_depth, model(image, ["a kitchen"]).metric_depth)
    assert (spread == 0).all()
    assert (output.shift_map == 0).all()


class SomeMore(Flat):
    """Two captions of each frame, three of frame 1."""

    description = "two or three"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return ["near", "far", "farther"][: 3 if sample_id == "flat/1" else 2]


@pytest.mark.parametrize("flat", [Flat, SomeMore])
def test_frames_together_are_averaged_as_alone(flat: type[Flat]):
    model, _, _ = tiny.parts()
    dataset = flat([2.0, 3.0, 1.0], [48, 48, 48])
    dataset.captions = dataset if flat is SomeMore else dataset.captions
    frames = [collate([(dataset, dataset.evaluation_sample(i))]).to(torch.device("cpu")) for i in range(3)]
    alone, together = CaptionAverage(model, dataset), CaptionAverage(model, dataset)
    expected = torch.cat([alone(frame) for frame in frames])
    torch.testing.assert_close(together(DepthBatch.joined(frames)), expected)
    assert together.spreads == {name: pytest.approx(spread, abs=1e-7) for name, spread in alone.spreads.items()}


def test_evaluation_reads_all_captions_of_each_frame():
    model, _, _ = tiny.parts()
    dataset = Flat([2.0, 3.0], [48, 48])
    method = CaptionAverage(model, dataset)
    (evaluation,) = evaluate(
        method, [EvaluationSet(dataset, Protocol("paper", 1e-3, 10.0, FullFrame()))], torch.device("cpu"), 0
    )
    assert [row["sample_id"] for row in evaluation.rows] == list(method.spreads) == dataset.sample_ids
    assert all(0 < spread < 1 and math.isfinite(spread) for spread in method.spreads.values())
