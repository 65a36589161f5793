import json
import subprocess
import sys
from dataclasses import replace

import pytest
import tiny
import torch
from torch import nn
from torch.autograd import grad
from torch.autograd.graph import saved_tensors_hooks

from tr2m.benchmark.plain_network import plain_maps
from tr2m.models.decoder import DPTDecoder, on_grid
from tr2m.models.heads import MapHead
from tr2m.models.released_names import to_released
from tr2m.models.tr2m import rescale_depth

PARTS = ("text_projection", "fusion", "decoder", "scale_head", "shift_head")


def test_the_trained_part_has_the_released_size():
    counts = tiny.counts()
    assert [counts[part] for part in PARTS] == [787_456, 16_798_720, 1_188_992, 92_289, 92_289]
    assert sum(counts[part] for part in PARTS) == 18_959_746
    assert counts["projector"] == pytest.approx(0.19e6, rel=0.05)
    assert counts["trainable"] == 18_959_746 + counts["projector"]
    # DINOv2 ViT-L/14, CLIP's text tower and Depth Anything Small as published.
    assert counts["image_encoder"] == 304_367_616
    assert counts["text_encoder"] == pytest.approx(123.65e6, rel=1e-3)
    assert counts["relative_depth"] == pytest.approx(24.8e6, rel=1e-2)


@pytest.mark.parametrize(
    ("experiment", "parts"),
    [
        ("factors", (787_456, 16_798_720, 0, 1_050_625, 1_050_625)),
        ("image_only", (0, 12_596_224, 1_188_992, 92_289, 92_289)),
        ("text_only", (787_456, 8_395_776, 1_188_992, 92_289, 92_289)),
        ("scale_only", (787_456, 16_798_720, 1_188_992, 92_289, 0)),
        ("shift_only", (787_456, 16_798_720, 1_188_992, 0, 92_289)),
    ],
)
def test_sizes_of_the_ablations(experiment: str, parts: tuple[int, ...]):
    counts = tiny.counts(f"experiment={experiment}", name="train")
    assert tuple(counts[part] for part in PARTS) == parts


@pytest.mark.parametrize(("model", "published"), [("dpt_hybrid", 123e6), ("midas_swin2_large", 213e6)])
def test_relative_models_of_table_9_have_their_published_size(model: str, published: float):
    counts = tiny.counts(f"model/relative_depth={model}")
    assert counts["relative_depth"] == pytest.approx(published, rel=0.01)


def test_summary_ends_in_one_line_of_json():
    command = [sys.executable, "scripts/summary.py", "model=tiny"]
    lines = subprocess.run(command, cwd=tiny.ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert list(json.loads(lines[-1])) == [
        "text_projection",
        "fusion",
        "decoder",
        "scale_head",
        "shift_head",
        "projector",
        "trainable",
        "image_encoder",
        "text_encoder",
        "relative_depth",
    ]


def test_equation_3_by_hand_and_far_points_stay_finite():
    depth = rescale_depth(torch.tensor([[[2.0, 0.0]]]), torch.tensor([[[0.5, 3.0]]]), torch.tensor([[[0.25, 0.0]]]))
    torch.testing.assert_close(depth, torch.tensor([[[0.8, 100_000.0]]]))


def test_maps_have_the_size_of_the_image_and_make_the_depth():
    model, _, _ = tiny.parts()
    batch = tiny.batch(height=28, width=70)
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    assert output.scale_map.shape == output.shift_map.shape == output.metric_depth.shape == (2, 28, 70)
    assert features.grid == (2, 5)
    expected = 1 / (output.scale_map * features.relative_depth + output.shift_map)
    torch.testing.assert_close(output.metric_depth, expected)


def test_what_is_given_is_used_as_it_is():
    model, _, _ = tiny.parts()
    batch = tiny.batch()
    relative_depth, image_tokens = torch.rand(2, 28, 70), torch.rand(2, 10, 16)
    features = model.encode(batch.image, batch.captions, relative_depth, image_tokens)
    assert features.relative_depth is relative_depth
    assert features.image_tokens is image_tokens
    halved = model.encode(batch.image, batch.captions, relative_depth.half(), image_tokens.half())
    torch.testing.assert_close(halved.relative_depth, relative_depth.half().float(), rtol=0, atol=0)
    torch.testing.assert_close(halved.image_tokens, image_tokens.half().float(), rtol=0, atol=0)


def test_tokens_are_not_those_of_a_mirrored_image():
    batch = replace(tiny.batch(), image_tokens=torch.rand(2, 10, 16)).mirrored()
    assert batch.image_tokens is None
    assert torch.equal(batch.image, tiny.batch().image.flip(-1))


VARIANTS = {
    "single factors": [
        "model/decoder=none",
        "model/head@model.scale_head=factor",
        "model/head@model.shift_head=factor",
    ],
    "scale map only": ["model/head@model.shift_head=zero"],
    "shift map only": ["model/head@model.scale_head=one"],
    "image only": ["model/text_projection=none", "model/fusion=image_only"],
    "text only": ["model/fusion=text_only"],
    "token sequence": ["model.text_encoder.text_tokens=sequence"],
}
# With one text token its weight is 1 whatever the image asks: the norm of the queries gets no gradient.
ONE_TOKEN = {f"rescale_encoder.fusion.image_norm.{p}" for p in ("weight", "bias")}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_the_tables_train_what_they_say(variant: str):
    model, contrast, objective = tiny.parts(*VARIANTS[variant])
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    objective(output, contrast(output, features, tiny.partner(batch)), features.relative_depth, batch)[
        "total"
    ].backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    attends_to_one = variant in ("single factors", "scale map only", "shift map only")
    assert without == (ONE_TOKEN if attends_to_one else set())
    constant = [output.scale_map.flatten(1), output.shift_map.flatten(1)]
    if variant == "single factors":
        assert all((values == values[:, :1]).all() for values in constant)
    if variant == "scale map only":
        assert (output.shift_map == 0).all()
    if variant == "shift map only":
        assert (output.scale_map == 1).all()


def test_without_image_tokens_the_maps_know_nothing_of_the_image():
    model, _, _ = tiny.parts("model/fusion=text_only")
    output, other = (model(torch.rand(1, 3, 140, 168), ["a kitchen"]) for _ in range(2))
    for values, same in ((output.scale_map[0], other.scale_map[0]), (output.shift_map[0], other.shift_map[0])):
        assert torch.equal(values, same)
        # What is left inside is the pattern of the transposed convolution; zero padding shows at the borders.
        inside = values[56:-56, 56:-56]
        assert inside.std() < 0.01 * inside.mean()
        assert inside.std() < 0.5 * values.std()


def outputs_for(captions: list[str], *overrides: str) -> torch.Tensor:
    model, _, _ = tiny.parts(*overrides)
    image = tiny.batch(size=1).image
    return model(image, captions).metric_depth


@pytest.mark.parametrize(
    ("overrides", "depends"),
    [([], True), (VARIANTS["token sequence"], True), (VARIANTS["image only"], False), (VARIANTS["text only"], True)],
)
def test_the_sentence_matters_where_it_should(overrides: list[str], depends: bool):
    kitchen, street = outputs_for(["a kitchen"], *overrides), outputs_for(["a wide street"], *overrides)
    assert (not torch.equal(kitchen, street)) == depends


@pytest.mark.parametrize("size", [(28, 70), (42, 28)])
def test_the_network_is_the_one_that_the_authors_released(size: tuple[int, int]):
    """Against a second implementation, written out from the description of the released network."""
    model, _, _ = tiny.parts()
    with torch.no_grad():
        # At first biases are 0 and norms do nothing: one for another would not be noticed.
        for weight in model.parameters():
            weight += 0.02 * torch.randn_like(weight)
    batch = tiny.batch(height=size[0], width=size[1])
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    weights = to_released(model.state_dict())
    expected = plain_maps(weights, features.image_tokens, features.text_tokens, features.grid)
    for name, values in expected.items():
        torch.testing.assert_close(getattr(output, name), values, rtol=1e-5, atol=1e-6 * values.abs().max().item())


def test_the_last_layer_runs_in_float32():
    head, hidden = MapHead(4, 6, 3), []
    head.hidden.register_forward_hook(lambda module, inputs, output: hidden.append(output))
    kept: list[torch.Tensor] = []
    images = torch.randn(2, 4, 16, 24)
    with torch.autocast("cpu", torch.bfloat16), saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        values = head(images, (28, 42)).values
    assert hidden[0].dtype == torch.bfloat16
    expected = 0.01 * head.to_logit(hidden[0].float().relu())[:, 0].exp()
    torch.testing.assert_close(values, expected, rtol=1e-6, atol=0)
    trained = [*head.to_logit.parameters(), head.hidden.bias]
    for got, gradient in zip(*(grad(v.sum(), trained, retain_graph=True) for v in (values, expected)), strict=True):
        torch.testing.assert_close(got, gradient, rtol=1e-2, atol=1e-4)
    # Nothing of the last convolution's size is kept for the backward pass in float32.
    assert not [t for t in kept if t.dtype == torch.float32 and t.numel() >= 3 * 28 * 42]


def test_a_map_is_a_hundredth_of_the_exponential_without_a_clamp():
    head = MapHead(4, 6, 3)
    torch.nn.init.zeros_(head.to_logit.weight)
    for logit, expected in ((0.0, 0.01), (4.0, 0.545982), (20.0, 4851651.95)):
        torch.nn.init.constant_(head.to_logit.bias, logit)
        values = head(torch.zeros(1, 4, 16, 24), (28, 42)).values
        torch.testing.assert_close(values, torch.full((1, 28, 42), expected))


def test_token_maps_keep_their_channels_last_in_memory():
    features = on_grid(torch.randn(2, 6, 5), (2, 3))
    assert features.shape == (2, 5, 2, 3)
    assert features.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(on_grid(torch.arange(6.0).view(1, 6, 1), (2, 3))[0, 0], torch.arange(6.0).view(2, 3))


def test_and_so_does_every_convolution_of_the_decoder_and_the_heads():
    decoder, head, met = DPTDecoder(16, 8, 12), MapHead(12, 8, 4), []
    for module in nn.ModuleList([decoder, head]).modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(lambda _, inputs, output: met.append(inputs[0]))
    head(decoder(torch.randn(2, 6, 16), (2, 3)), (28, 42))
    # All but the head's last, which is a product.
    assert len(met) == 11
    assert all(features.is_contiguous(memory_format=torch.channels_last) for features in met)
