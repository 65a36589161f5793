"""bfloat16 as CUDA runs it, forced upon the CPU: maps and losses stay what float32 says."""

from __future__ import annotations

import pytest
import tiny
import torch

from tr2m.models import momentum, tr2m


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for module in (tr2m, momentum):
        monkeypatch.setattr(module, "mixed_precision", lambda device: torch.autocast("cpu", torch.bfloat16))
    return monkeypatch


def losses_and_maps() -> tuple[dict[str, float], list[torch.Tensor]]:
    model, contrast, objective = tiny.parts()
    with torch.no_grad():
        # Where an endoscope's maps are, and where bfloat16 has steps of 1/32.
        model.scale_head.to_logit.bias += 11.1
    batch = tiny.batch()
    torch.manual_seed(0)
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    terms = objective(output, contrast(output, features), features.relative_depth, batch)
    terms["total"].backward()
    gradient = model.decoder.project.weight.grad
    return {name: value.item() for name, value in terms.items()}, [output.scale_map, output.shift_map, gradient]


def test_maps_losses_and_gradients_agree_with_float32(bfloat16: pytest.MonkeyPatch):
    low_terms, (low_scale, low_shift, low_gradient) = losses_and_maps()
    bfloat16.undo()
    terms, (scale, shift, gradient) = losses_and_maps()
    assert low_scale.dtype == low_shift.dtype == torch.float32
    assert not torch.equal(low_scale, scale)
    for low, full in ((low_scale, scale), (low_shift, shift)):
        error = ((low - full) / full).abs()
        assert error.median() < 0.003
        assert error.max() < 0.02
    for name, value in terms.items():
        assert low_terms[name] == pytest.approx(value, rel=0.01, abs=1e-3), name
    assert (low_gradient - gradient).norm() < 0.05 * gradient.norm()
