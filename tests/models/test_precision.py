"""bfloat16 as CUDA and some CPUs run it: weights, maps, losses and gradients beside those of float32."""

from __future__ import annotations

import pytest
import tiny
import torch
from torch import nn

from tr2m.benchmark.parts import make_trainer
from tr2m.models.frozen import precision
from tr2m.models.frozen.frozen_module import FrozenModule
from tr2m.models.frozen.precision import cpu_has_bfloat16, pick_precision
from tr2m.models.tr2m import TR2M
from tr2m.types import FrozenFeatures, TR2MOutput

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def losses_and_maps(dtype: torch.dtype) -> tuple[dict[str, float], FrozenFeatures, TR2MOutput, torch.Tensor]:
    """The loss terms, what they came from, and one gradient."""
    model, contrast, objective = tiny.parts()
    model.set_precision(dtype)
    with torch.no_grad():
        # Where an endoscope's maps are, and where bfloat16 has steps of 1/32.
        model.scale_head.to_logit.bias += 11.1
    batch = tiny.batch()
    torch.manual_seed(0)
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    terms = objective(output, contrast(output, features, tiny.partner(batch)), features.relative_depth, batch)
    terms["total"].backward()
    return {name: value.item() for name, value in terms.items()}, features, output, model.decoder.project.weight.grad


def test_features_maps_losses_and_gradients_agree_with_float32():
    low_terms, low_features, low, low_gradient = losses_and_maps(torch.bfloat16)
    terms, features, output, gradient = losses_and_maps(torch.float32)
    for name in ("image_tokens", "text_tokens", "relative_depth"):
        got, expected = getattr(low_features, name), getattr(features, name)
        assert got.dtype == torch.float32
        assert not torch.equal(got, expected)
        assert (got - expected).norm() < 0.02 * expected.norm(), name
    for name in ("scale_map", "shift_map"):
        got, expected = getattr(low, name), getattr(output, name)
        assert got.dtype == torch.float32
        assert not torch.equal(got, expected)
        error = ((got - expected) / expected).abs()
        assert error.median() < 0.003
        assert error.max() < 0.02
    for name, value in terms.items():
        assert low_terms[name] == pytest.approx(value, rel=0.01, abs=1e-3), name
    assert (low_gradient - gradient).norm() < 0.05 * gradient.norm()


def test_contrast_computes_as_the_model_does():
    model, contrast, _ = tiny.parts()
    batch, keys = tiny.batch(), {}
    for dtype in (torch.float32, torch.bfloat16):
        model.set_precision(dtype)
        features = model.encode(batch.image, batch.captions)
        keys[dtype] = contrast(model.rescale(features), features, None).keys.dtype
    assert keys == {torch.float32: torch.float32, torch.bfloat16: torch.bfloat16}


def dtypes(module: nn.Module) -> set[torch.dtype]:
    return {t.dtype for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()}


def test_frozen_weights_are_rounded_and_trained_ones_are_not():
    model, contrast, _ = tiny.parts()
    names, fingerprints = list(model.state_dict()), model.fingerprints()
    fresh, _, _ = tiny.parts()
    fresh.set_precision(torch.bfloat16)
    assert fresh.fingerprints() == fingerprints
    assert list(fresh.state_dict()) == names
    assert dtypes(fresh.image_encoder.network) == dtypes(fresh.text_encoder.network) == {torch.bfloat16}
    # Depth itself stays float32.
    assert dtypes(fresh.relative_depth.network.backbone) == {torch.bfloat16}
    assert dtypes(fresh.relative_depth.network.head.conv3) == {torch.float32}
    for trained in (fresh.rescale_encoder, fresh.decoder, fresh.scale_head, contrast):
        assert dtypes(trained) == {torch.float32}


def test_depth_of_a_frozen_network_has_no_steps():
    model, _, _ = tiny.parts()
    model.set_precision(torch.bfloat16)
    depth = model.relative_depth(tiny.batch(height=98, width=98).image)
    assert not torch.equal(depth, depth.bfloat16().float())


def test_rounded_weights_do_not_come_back():
    model, _, _ = tiny.parts()
    model.set_precision(torch.bfloat16)
    model.set_precision(torch.bfloat16)
    with pytest.raises(ValueError, match=r"DINOv2ImageEncoder is in torch\.bfloat16"):
        model.set_precision(torch.float32)


def test_captions_and_positions_of_another_precision_are_not_kept():
    model, _, _ = tiny.parts()
    batch = tiny.batch()
    before = model.encode(batch.image, batch.captions)
    model.set_precision(torch.bfloat16)
    after = model.encode(batch.image, batch.captions)
    fresh, _, _ = tiny.parts()
    fresh.set_precision(torch.bfloat16)
    expected = fresh.encode(batch.image, batch.captions)
    assert torch.equal(after.text_tokens, expected.text_tokens)
    assert torch.equal(after.image_tokens, expected.image_tokens)
    assert not torch.equal(after.text_tokens, before.text_tokens)


@pytest.mark.parametrize("able", [True, False])
def test_auto_is_bfloat16_where_it_pays_but_not_in_training_on_a_cpu(able: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: able)
    assert pick_precision("auto", CPU, training=False) == (torch.bfloat16 if able else torch.float32)
    assert pick_precision("auto", CPU, training=True) == torch.float32
    assert pick_precision("auto", CUDA, training=True) == pick_precision("auto", CUDA, training=False) == torch.bfloat16
    assert pick_precision("auto", torch.device("mps"), training=False) == torch.float32
    for training in (True, False):
        assert pick_precision("float32", CUDA, training) == torch.float32
        assert pick_precision("bfloat16", CPU, training) == torch.bfloat16


@pytest.mark.parametrize(("bfloat16", "amx"), [(True, False), (False, True), (False, False)])
def test_torch_is_asked_what_the_processor_can_do(bfloat16: bool, amx: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: amx)
    assert cpu_has_bfloat16() == (bfloat16 or amx)


@pytest.mark.parametrize(
    ("asked", "expected"), [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_the_trainer_computes_as_it_is_asked_to(asked: str, expected: torch.dtype):
    settings = tiny.benchmark("what=train", "model=tiny", *tiny.SMALL, f"precision={asked}")
    model = make_trainer(settings, CPU, (28, 70)).model
    assert isinstance(model, TR2M)
    assert model.precision == expected
    assert all(part.precision == expected for part in model.children() if isinstance(part, FrozenModule))
