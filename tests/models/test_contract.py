"""The three models that are trained here, used through the contract alone."""

import numpy as np
import pytest
import tiny
import torch
from small_run import make_trainer
from world import Flat

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.evaluation.caption_average import CaptionAverage, average_over_captions
from tr2m.inference.predict import predict
from tr2m.models.contract import RescalingModel
from tr2m.paper.figures.frames import read_frames
from tr2m.types import TR2MOutput

RSA = ("experiment=rsa", "model/text_encoder=clip_tiny", "model/relative_depth=depth_anything_tiny")
MODELS = {
    "TR2M": ("model=tiny", *tiny.SMALL),
    "RSA": RSA,
    "DepthAnythingMetric": ("experiment=da_mix", *tiny.DEPTH_ANYTHING),
}
WITH_MAPS = ["TR2M", "RSA"]
IMAGE = np.random.default_rng(0).integers(0, 256, (30, 75, 3), dtype=np.uint8)


def make(name: str) -> RescalingModel:
    torch.manual_seed(0)
    model = build(tiny.config(*MODELS[name])["model"]).eval()
    model.input_sizes = [(28, 42)]
    return model


@pytest.mark.parametrize("name", MODELS)
def test_forward_is_rescale_after_encode_and_the_flags_tell_the_truth(name: str):
    model, batch = make(name), tiny.batch()
    assert isinstance(model, RescalingModel)
    output = model(batch.image, batch.captions)
    expected = model.rescale(model.encode(batch.image, batch.captions))
    assert torch.equal(output.metric_depth, expected.metric_depth)
    assert isinstance(output, TR2MOutput) == model.has_maps
    other = model(batch.image, ["a wide street"] * 2)
    assert torch.equal(output.metric_depth, other.metric_depth) != model.reads_captions
    assert model.size_multiple == 14
    assert isinstance(model.rescale_encoder, torch.nn.Module)


@pytest.mark.parametrize("name", WITH_MAPS)
def test_another_caption_without_encoding_the_image_again(name: str):
    model, image = make(name), tiny.batch(size=1).image
    changed = model.with_captions(model.encode(image, ["a kitchen"]), ["a wide street"])
    assert torch.equal(model.rescale(changed).metric_depth, model(image, ["a wide street"]).metric_depth)


@pytest.mark.parametrize("name", WITH_MAPS)
def test_a_model_with_maps_predicts_a_photo_and_averages_captions(name: str):
    model = make(name)
    prediction = predict(model, IMAGE, ["a kitchen", "a wide street"])
    assert prediction.metric_depth.shape == prediction.scale_map.shape == (30, 75)
    assert prediction.caption_spread.max() > 0
    batch = tiny.batch(size=1)
    output, _ = average_over_captions(model, model.encode(batch.image, ["a kitchen"]), [["a kitchen"]])
    torch.testing.assert_close(output.metric_depth, model(batch.image, ["a kitchen"]).metric_depth)


def test_what_a_model_has_not_is_refused_in_words(tmp_path):
    model = make("DepthAnythingMetric")
    without_maps = "needs a scale map and a shift map, and DepthAnythingMetric predicts neither"
    with pytest.raises(UserError, match=f"predict {without_maps}"):
        predict(model, IMAGE, ["a kitchen"])
    with pytest.raises(UserError, match=f"the first model of the figures {without_maps}"):
        read_frames({"one": model}, [], 1, torch.device("cpu"))
    with pytest.raises(UserError, match="captions=average needs a model that reads captions"):
        CaptionAverage(model, Flat([1.0], [48]))
    with pytest.raises(UserError, match="DepthAnythingMetric reads no captions"):
        model.with_captions(None, ["a kitchen"])


def test_pictures_of_maps_that_are_not_there_are_refused_before_training(tmp_path):
    settings = ("experiment=da_mix", *tiny.DEPTH_ANYTHING, "trainer.workers=0", "trainer.batch_size=2")
    with pytest.raises(UserError, match=r"trainer\.panels=2 needs a scale map"):
        make_trainer(tmp_path, config=tiny.config(*settings, "trainer.panels=2"))
    make_trainer(tmp_path, config=tiny.config(*settings))
