"""`model=tr2m_equations`: the network of Eq. 1-2 and A.3.1 read literally trains and is counted as before."""

import pytest
import tiny
import torch
import torch.nn.functional as F

from tr2m.build import build
from tr2m.models.equations.heads import TokenwiseHead, Upsample2x

EQUATIONS = ("model=tr2m_equations",)
TINY = (
    *EQUATIONS,
    "model/image_encoder=dinov2_tiny",
    "model/text_encoder=clip_tiny",
    "model/relative_depth=depth_anything_tiny",
    *tiny.SMALL,
)
VARIANTS = {
    "as it is": [],
    "literal fusion": ["model.fusion.projection=none"],
    "token sequence": ["model.text_encoder.text_tokens=sequence"],
    "scale map only": ["model/head@model.shift_head=zero"],
}


@pytest.mark.parametrize(
    ("overrides", "fusion"),
    [
        ([], 4 * (1024 * 1024 + 1024)),
        (["model.fusion.projection=none"], 0),
        (["model.text_encoder.text_tokens=sequence"], 5 * (1024 * 1024 + 1024)),
    ],
)
def test_budgets(overrides: list[str], fusion: int):
    counts = tiny.counts(*EQUATIONS, *overrides)
    assert counts["fusion"] == fusion
    assert counts["scale_head"] == counts["shift_head"] == 9_441_281
    assert counts["decoder"] == 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_train_and_make_the_depth_of_their_maps(variant: str):
    settings = tiny.config(*TINY, *VARIANTS[variant])
    model, objective = build(settings["model"]), build(settings["objective"])
    contrast = build(settings["contrast"], model=model)
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    expected = 1 / (output.scale_map * features.relative_depth + output.shift_map).clamp(min=1e-5)
    torch.testing.assert_close(output.metric_depth, expected)
    assert output.head_features == ()
    objective(output, contrast(output, features, tiny.partner(batch)), features.relative_depth, batch)[
        "total"
    ].backward()
    assert all(p.grad is not None for p in model.parameters())


def test_upsampling_is_a_transposed_convolution():
    layer = Upsample2x(6)
    cells = torch.randn(3, 4, 5, 6)
    expected = F.conv_transpose2d(cells.permute(0, 3, 1, 2), layer.weight, layer.bias, stride=2)
    torch.testing.assert_close(layer(cells), expected.permute(0, 2, 3, 1))


def test_the_head_is_its_three_convolutions():
    head = TokenwiseHead(4, 10.0)
    tokens = torch.randn(2, 4, 3, 5)
    features = F.conv2d(tokens, head.project.weight[..., None, None], head.project.bias)
    for layer in (head.upsample1, head.upsample2):
        features = F.relu(F.conv_transpose2d(features, layer.weight, layer.bias, stride=2))
    logits = F.conv2d(features, head.to_logit.weight[..., None, None], head.to_logit.bias)
    logits = F.interpolate(logits, (42, 70), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(head(tokens, (42, 70)).values, logits.exp())


def test_clamped_logits_reach_a_millimetre_and_stay_finite():
    head = TokenwiseHead(4, 10.0)
    torch.nn.init.constant_(head.to_logit.bias, 100.0)
    values = head(torch.zeros(1, 4, 2, 3), (10, 15)).values
    assert values.shape == (1, 10, 15)
    assert 1000 < values.max() < 3e4
