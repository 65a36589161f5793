import json
import subprocess
import sys
from dataclasses import replace

import pytest
import tiny
import torch
import torch.nn.functional as F

from tr2m.experiment import parameters
from tr2m.models.heads import DPTHead, Upsample2x
from tr2m.models.tr2m import rescale_depth


def test_parameter_budgets_of_the_paper():
    counts = parameters.count_parameters(tiny.config(name="summary"))
    assert counts["scale_head"] == counts["shift_head"]
    assert counts["scale_head"] + counts["shift_head"] == pytest.approx(18.9e6, rel=0.005)
    assert counts["projector"] == pytest.approx(0.19e6, rel=0.05)
    assert counts["text_projection"] == 768 * 1024 + 1024
    assert counts["fusion"] == 4 * (1024 * 1024 + 1024)
    assert counts["trainable"] == sum(
        counts[name] for name in ("text_projection", "fusion", "scale_head", "shift_head", "projector")
    )
    # DINOv2 ViT-L/14, CLIP's text tower and Depth Anything Small as published.
    assert counts["image_encoder"] == 304_367_616
    assert counts["text_encoder"] == pytest.approx(123.65e6, rel=1e-3)
    assert counts["relative_depth"] == pytest.approx(24.8e6, rel=1e-2)


@pytest.mark.parametrize(
    ("overrides", "fusion"),
    [
        (["model.fusion.projection=none"], 0),
        (["model.text_encoder.text_tokens=sequence"], 5 * (1024 * 1024 + 1024)),
        (["model.text_encoder.text_tokens=sequence", "model.fusion.projection=none"], 0),
    ],
)
def test_fusion_budgets(overrides: list[str], fusion: int):
    counts = parameters.count_parameters(tiny.config(*overrides, name="summary"))
    assert counts["fusion"] == fusion


@pytest.mark.parametrize(("model", "published"), [("dpt_hybrid", 123e6), ("midas_swin2_large", 213e6)])
def test_relative_models_of_table_9_have_their_published_size(model: str, published: float):
    counts = parameters.count_parameters(tiny.config(f"model/relative_depth={model}", name="summary"))
    assert counts["relative_depth"] == pytest.approx(published, rel=0.01)


def test_summary_ends_in_one_line_of_json():
    command = [sys.executable, "scripts/summary.py", "model=tiny"]
    lines = subprocess.run(command, cwd=tiny.ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert list(json.loads(lines[-1])) == [
        "text_projection",
        "fusion",
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
    "single factors": ["model/head@model.scale_head=factor", "model/head@model.shift_head=factor"],
    "scale map only": ["model/head@model.shift_head=zero"],
    "shift map only": ["model/head@model.scale_head=one"],
    "image only": ["model/fusion=image_only"],
    "text only": ["model/fusion=text_only"],
    "literal fusion": ["model.fusion.projection=none"],
    "token sequence": ["model.text_encoder.text_tokens=sequence"],
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_the_tables_train_what_they_say(variant: str):
    model, contrast, objective = tiny.parts(*VARIANTS[variant])
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    objective(output, contrast(output.fused_tokens, features), features.relative_depth, batch)["total"].backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    assert without == (
        {f"rescale_encoder.text_projection.{p}" for p in ("weight", "bias")} if variant == "image only" else set()
    )
    constant = [output.scale_map.flatten(1), output.shift_map.flatten(1)]
    if variant == "single factors":
        assert all((values == values[:, :1]).all() for values in constant)
    if variant == "scale map only":
        assert (output.shift_map == 0).all()
    if variant == "shift map only":
        assert (output.scale_map == 1).all()


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


def test_upsampling_is_a_transposed_convolution():
    layer = Upsample2x(6)
    cells = torch.randn(3, 4, 5, 6)
    expected = F.conv_transpose2d(cells.permute(0, 3, 1, 2), layer.weight, layer.bias, stride=2)
    torch.testing.assert_close(layer(cells), expected.permute(0, 2, 3, 1))


def test_clamped_logits_reach_a_millimetre_and_stay_finite():
    head = DPTHead(4, 10.0)
    torch.nn.init.constant_(head.to_logit.bias, 100.0)
    values = head(torch.zeros(1, 6, 4), (2, 3), (10, 15))
    assert values.shape == (1, 10, 15)
    assert 1000 < values.max() < 3e4
