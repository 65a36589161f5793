import pytest
import tiny
import torch
from torch import nn

from tr2m.errors import UserError
from tr2m.models.momentum import Projector, another_image
from tr2m.ops.depth_classes import cell_depth


def test_the_copy_starts_exact_and_moves_by_the_ema_formula():
    model, contrast, _ = tiny.parts()
    originals = [*model.rescale_encoder.parameters(), *contrast.projector.parameters()]
    copies = [*contrast.momentum_encoder.parameters(), *contrast.momentum_projector.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(copies, originals, strict=True))
    assert not any(a is b for a, b in zip(copies, originals, strict=True))
    before = [copy.clone() for copy in copies]
    with torch.no_grad():
        for original in originals:
            original.add_(torch.randn_like(original))
    contrast.update(model)
    for copy, old, original in zip(copies, before, originals, strict=True):
        torch.testing.assert_close(copy, 0.99 * old + 0.01 * original)


def test_no_gradient_reaches_the_keys():
    model, contrast, _ = tiny.parts()
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions)
    result = contrast(model.rescale(features), features, tiny.partner(batch))
    assert result.queries.requires_grad
    assert not result.keys.requires_grad
    result.queries.sum().backward()
    assert all(p.grad is None for p in contrast.momentum_encoder.parameters())
    assert all(p.grad is not None for p in contrast.projector.parameters())
    assert not any(
        p.requires_grad for p in (*contrast.momentum_encoder.parameters(), *contrast.momentum_projector.parameters())
    )


def test_queries_equal_keys_at_the_start():
    model, contrast, _ = tiny.parts()
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions)
    result = contrast(model.rescale(features), features, tiny.partner(batch))
    torch.testing.assert_close(result.queries.detach(), result.keys)


@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_partner_is_always_another_image_and_every_image_is_one(size: int):
    seen = set()
    for _ in range(50):
        partner = another_image(size, torch.device("cpu"))
        assert (partner != torch.arange(size)).all()
        assert sorted(partner.tolist()) == list(range(size))
        seen.add(tuple(partner.tolist()))
    assert len(seen) > 1 or size == 2


def test_a_batch_of_one_has_no_partner():
    assert another_image(1, torch.device("cpu")) is None


def test_the_projector_is_two_convolutions_each_with_relu_and_pooling():
    projector = Projector(width=4, hidden=6, out=8, pool=2)
    pooling = nn.MaxPool2d(2, ceil_mode=True)
    torchs = nn.Sequential(projector.reduce, nn.ReLU(), pooling, projector.expand, nn.ReLU(), pooling)
    tokens = torch.randn(2, 30, 4)
    expected = torchs(tokens.mT.reshape(2, 4, 5, 6))
    assert (projector.reduce(tokens.mT.reshape(2, 4, 5, 6)) < 0).any()
    torch.testing.assert_close(projector(tokens, (5, 6)), expected)


def test_projected_grid_equals_the_grid_of_depth_cells():
    projector = Projector(width=4, hidden=6, out=8, pool=2)
    height, width = 31 * 14, 40 * 14  # 434x560, the NYUv2 size
    projected = projector(torch.randn(1, 31 * 40, 4), (31, 40))
    depth = torch.ones(1, height, width)
    cells, _ = cell_depth(depth, depth > 0, 14 * projector.stride)
    assert projected.shape == (1, 8, 8, 10)
    assert cells.shape == projected.shape[:1] + projected.shape[2:]


def test_an_encoder_of_other_parameters_is_refused():
    _, contrast, _ = tiny.parts()
    other, _, _ = tiny.parts("model/fusion=image_only")
    with pytest.raises(ValueError, match="text_attention"):
        contrast.update(other)


@pytest.mark.parametrize(("overrides", "channels"), [([], 8), (["model/head@model.shift_head=zero"], 4)])
def test_the_features_of_both_heads_can_be_compared_instead(overrides: list[str], channels: int):
    toy = [f"model.{head}.mid_width=4" for head in ("scale_head", "shift_head")[: channels // 4]]
    maps = ("contrast.features=maps", f"contrast.projector.width={channels}", "contrast.projector.pool=2")
    model, contrast, objective = tiny.parts(*overrides, *toy, *maps)
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    assert torch.cat(output.head_features, dim=1).shape == (2, channels, 8 * 2, 8 * 5)
    result = contrast(output, features, tiny.partner(batch))
    torch.testing.assert_close(result.queries.detach(), result.keys)
    # Cells of 7 pixels: 4x4 cells of features, of which 8 make the side of a token of 14 pixels.
    assert result.stride == 0.5
    assert result.keys.shape == (2, 12, 4, 10)
    terms = objective(output, result, features.relative_depth, batch)
    terms["contrast"].backward()
    assert model.scale_head.mid.weight.grad.abs().sum() > 0
    assert model.scale_head.to_logit.weight.grad is None
    before = contrast.momentum_encoder.mids[0].weight.clone()
    with torch.no_grad():
        model.scale_head.mid.weight += 1
    contrast.update(model)
    torch.testing.assert_close(contrast.momentum_encoder.mids[0].weight, before + 0.01)


def test_features_that_do_not_fit_are_refused_in_words():
    maps = "contrast.features=maps"
    model, contrast, _ = tiny.parts(maps)
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions)
    with pytest.raises(UserError, match=r"set contrast\.projector\.width=32"):
        contrast(model.rescale(features), features, tiny.partner(batch))
    factor = [f"model/head@model.{head}=factor" for head in ("scale_head", "shift_head")]
    with pytest.raises(UserError, match="TR2M has no heads with features; use fused"):
        tiny.parts("model/decoder=none", *factor, maps)
    model, contrast, objective = tiny.parts(maps, "contrast.projector.width=32", "contrast.projector.pool=1")
    output = model.rescale(features)
    with pytest.raises(UserError, match=r"1\.75 pixels a side"):
        objective(output, contrast(output, features, tiny.partner(batch)), features.relative_depth, batch)
