"""One photo to maps, through the function that `from tr2m import predict` gives."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

import tr2m
from tr2m.errors import UserError
from tr2m.inference.predict import network_size, predict_each
from tr2m.models.frozen.resize_rule import MAX_TOKENS
from tr2m.models.tr2m import TR2M

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> TR2M:
    model, _, _ = tiny.parts()
    model.input_sizes = [(28, 42), (28, 112)]
    return model.eval()


def test_one_sentence_is_the_model_on_that_sentence(model: TR2M):
    one = tr2m.predict(model, PHOTO, "a narrow kitchen")
    listed = tr2m.predict(model, PHOTO, ["a narrow kitchen"])
    np.testing.assert_array_equal(one.metric_depth, listed.metric_depth)
    assert one.caption_spread.max() == 0
    assert (one.metric_depth.shape, one.network_size, one.nonfinite_pixels) == ((40, 60), (28, 42), 0)


def test_the_input_size_is_what_the_network_sees(model: TR2M):
    seen = []
    handle = model.image_encoder.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape[2:])))
    sizes = [tr2m.predict(model, PHOTO, "a room", input_size).network_size for input_size in (None, 14, 56)]
    handle.remove()
    assert seen == sizes == [(28, 42), (14, 28), (56, 84)]


def test_a_given_relative_depth_replaces_the_models_own(model: TR2M):
    near = tr2m.predict(model, PHOTO, "a room", relative_depth=np.full((40, 60), 100.0))
    far = tr2m.predict(model, PHOTO, "a room", relative_depth=np.full((40, 60), 1.0))
    assert (near.metric_depth < far.metric_depth).all()
    with pytest.raises(UserError, match=r"got \(60, 40\), expected \(40, 60\)"):
        tr2m.predict(model, PHOTO, "a room", relative_depth=np.ones((60, 40)))


@pytest.mark.parametrize(
    ("size", "side", "words"),
    [
        ((10, 4000), None, r"28x11200 pixels"),
        (
            (10, 4000),
            420,
            r"10x4000 .*420x168000 pixels, 360,000 patches, .*give --input-size \d+",
        ),
        ((1, 40_000), 14, "expected at most 16,384; cut the image into pieces"),
        ((40, 60), 13, "--input-size 13: expected at least 14 pixels"),
        ((40, 60), -5, "--input-size -5: expected at least 14 pixels"),
        ((40, 60), 0, "--input-size 0: expected at least 14 pixels"),
    ],
)
def test_a_size_that_would_never_end_is_refused(model: TR2M, size: tuple[int, int], side: int | None, words: str):
    if side is None:
        assert network_size(model, size, side) == (28, 11_200)
    else:
        with pytest.raises(UserError, match=words):
            network_size(model, size, side)


@pytest.mark.parametrize("size", [(10, 4000), (4000, 10), (333, 1234), (40, 60)])
def test_the_size_that_the_refusal_names_is_accepted(model: TR2M, size: tuple[int, int]):
    with pytest.raises(UserError) as error:
        network_size(model, size, 20_000)
    named = int(str(error.value).split("give --input-size ")[1].split()[0])
    height, width = network_size(model, size, named)
    tokens = height * width // 14**2
    assert tokens <= MAX_TOKENS
    # And is not much less than what would be possible.
    assert named + 3 * 14 > 14 * math.sqrt(MAX_TOKENS * min(size) / max(size))


def test_pixels_that_are_no_numbers_are_counted_and_nothing_but_them_is_refused(model: TR2M):
    relative = np.ones((40, 60))
    prediction = tr2m.predict(model, PHOTO, "a room", relative_depth=relative)
    depth = prediction.metric_depth.copy()
    depth[0, :3] = [np.nan, np.inf, -np.inf]
    partly = replace(prediction, metric_depth=depth)
    assert partly.nonfinite_pixels == 3
    assert np.isfinite(partly.quantiles()).all()
    broken, _, _ = tiny.parts()
    broken.input_sizes = [(28, 42)]
    with torch.no_grad():
        for parameter in broken.scale_head.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(UserError, match="every predicted pixel is NaN or infinite"):
        tr2m.predict(broken.eval(), PHOTO, "a room")


def photos(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(1).integers(0, 256, (count, 40, 60, 3), dtype=np.uint8))


def test_a_batch_gives_each_image_what_it_gets_alone(model: TR2M):
    images = photos(3)
    captions = [["a kitchen", "a wide street"], ["a hall", "a long hall"], ["a colon", "a tube"]]
    together = list(tr2m.predict_batch(model, images, captions))
    for image, sentences, prediction in zip(images, captions, together, strict=True):
        alone = tr2m.predict(model, image, sentences)
        for name in ("metric_depth", "scale_map", "shift_map", "relative_depth", "caption_spread"):
            np.testing.assert_allclose(getattr(prediction, name), getattr(alone, name), rtol=1e-4, atol=1e-6)
    first, second, _ = (prediction.metric_depth for prediction in together)
    assert np.abs(first / second - 1).max() > 1e-3


def test_images_of_a_batch_run_through_the_encoder_once(model: TR2M):
    seen = []
    handle = model.image_encoder.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    list(tr2m.predict_batch(model, photos(3), [["a room", "a hall"]] * 3))
    handle.remove()
    assert seen == [3]


def test_each_image_of_a_batch_has_its_own_relative_depth(model: TR2M):
    given = [np.full((40, 60), 100.0), np.linspace(1, 2, 2400).reshape(40, 60)]
    near, far = tr2m.predict_batch(model, photos(2), ["a room"] * 2, relative_depths=given)
    assert (near.metric_depth < far.metric_depth).all()
    np.testing.assert_allclose(near.relative_depth, 100, rtol=1e-6)
    np.testing.assert_allclose(far.relative_depth, given[1], atol=0.02)


@pytest.mark.parametrize(
    ("images", "captions", "words"),
    [
        ([PHOTO, PHOTO[:, :50]], ["a room"] * 2, r"images of one size, got \(40, 60\), \(40, 50\)"),
        ([PHOTO] * 2, ["a room", ["a room", "a hall"]], "as many sentences for each image, got 1, 2"),
        ([PHOTO] * 2, ["a room"], "captions and maps for each image, got 2, 1"),
        ([], [], "images of one size, got none"),
    ],
)
def test_a_batch_of_unequal_parts_is_refused(model: TR2M, images: list, captions: list, words: str):
    with pytest.raises(UserError, match=words):
        tr2m.predict_batch(model, images, captions)


def test_each_sentence_alone_is_what_predict_gives_and_the_image_is_encoded_once(model: TR2M):
    sentences, encoded = ["a narrow kitchen", "a wide street", "a hall"], []
    handle = model.image_encoder.register_forward_hook(lambda *_: encoded.append(1))
    together, alone = predict_each(model, PHOTO, sentences, 56, np.ones((40, 60)), "mm")
    handle.remove()
    assert len(encoded) == 1
    for got, asked in ((together, sentences), *zip(alone, sentences, strict=True)):
        expected = tr2m.predict(model, PHOTO, asked, 56, np.ones((40, 60)), "mm")
        for name, values in vars(expected).items():
            np.testing.assert_array_equal(getattr(got, name), values, err_msg=name)
