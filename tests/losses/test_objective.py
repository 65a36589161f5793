import pytest
import tiny
import torch

from tr2m.errors import UserError
from tr2m.losses.objective import TERMS
from tr2m.types import DepthBatch


def terms_of(batch: DepthBatch, *overrides: str) -> tuple[dict[str, torch.Tensor], torch.nn.Module]:
    model, contrast, objective = tiny.parts(*overrides)
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    return objective(output, contrast(output, features, tiny.partner(batch)), features.relative_depth, batch), model


def test_total_is_the_weighted_sum_of_equation_9():
    terms, _ = terms_of(tiny.batch())
    weights = {"silog": 1.0, "pseudo": 0.5, "contrast": 0.1, "smoothness": 0.01}
    expected = sum(weight * terms[name] for name, weight in weights.items())
    torch.testing.assert_close(terms["total"], expected)
    assert all(terms[name].item() > 0 for name in TERMS if name != "pseudo")


def test_silog_is_the_mean_over_images_that_have_ground_truth():
    batch = tiny.batch()
    both, _ = terms_of(batch)
    batch.valid[1:] = False
    batch.depth[1:] = 0
    terms, _ = terms_of(batch)
    alone = DepthBatch(**{**vars(batch), **{name: getattr(batch, name)[:1] for name in ("valid", "depth", "image")}})
    model, _, objective = tiny.parts()
    predicted = model(alone.image, batch.captions[:1]).metric_depth
    torch.testing.assert_close(terms["silog"], objective.silog(predicted, alone.depth, alone.valid)[0])
    assert both["silog"] != terms["silog"]


@pytest.mark.parametrize("valid", ["none", "one"])
def test_a_batch_without_ground_truth_is_finite_with_finite_gradients(valid: str):
    batch = tiny.batch()
    keep = torch.zeros_like(batch.valid)
    if valid == "one":
        keep[0, 3, 4] = True
    batch = DepthBatch(**{**vars(batch), "valid": keep, "depth": 2.0 * keep})
    terms, model = terms_of(batch)
    terms["total"].backward()
    assert all(term.isfinite() for term in terms.values())
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_projected_cells_and_depth_cells_are_the_same_grid():
    # 5x11 tokens, pooled twice by two with partial windows: 2x3 cells of 56 pixels.
    terms, _ = terms_of(tiny.batch(height=70, width=154), "contrast.projector.pool=2")
    assert terms["contrast"].item() > 0


def test_weights_must_name_the_four_terms():
    with pytest.raises((UserError, ValueError), match="smoothness"):
        tiny.parts("~objective.weights.smoothness")


def test_a_term_of_weight_0_is_logged_and_leaves_the_gradient_alone(monkeypatch: pytest.MonkeyPatch):
    batch = tiny.batch()
    model, contrast, objective = tiny.parts("objective.weights.smoothness=0")
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    # The square root's gradient at 0 is infinite, and 0 times infinity NaN.
    monkeypatch.setattr(objective.smoothness, "forward", lambda values, image: (values - values).sqrt().sum() + 3)
    terms = objective(output, contrast(output, features, tiny.partner(batch)), features.relative_depth, batch)
    assert terms["smoothness"] == 6
    terms["total"].backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_weights_that_are_all_0_are_refused():
    with pytest.raises(UserError, match="all 0, expected one above"):
        tiny.parts(*(f"objective.weights.{name}=0" for name in TERMS))
