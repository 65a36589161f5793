import pytest
import tiny
import torch

from tr2m.build import build
from tr2m.losses.objective import Objective


def training_terms(experiment: str, *overrides: str) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    settings = tiny.config(f"experiment={experiment}", *tiny.DEPTH_ANYTHING, *overrides)
    model = build(settings["model"])
    contrast = build(settings["contrast"], model=model)
    objective: Objective = build(settings["objective"])
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions, batch.relative_depth)
    output = model.rescale(features)
    terms = objective(output, contrast(output, features, tiny.partner(batch)), features.relative_depth, batch)
    terms["total"].backward()
    return model, terms


def test_depth_anything_learns_as_a_whole_from_silog_alone():
    model, terms = training_terms("da_mix")
    assert {name for name, term in terms.items() if term != 0} == {"silog", "total"}
    assert torch.equal(terms["total"], terms["silog"])
    assert model.rescale_encoder.backbone.embeddings.patch_embeddings.projection.weight.grad.abs().sum() > 0
    assert model.head.conv3.weight.grad.abs().sum() > 0


def test_the_contrast_plugs_into_depth_anything():
    _, terms = training_terms("da_mix_contrast", "contrast.projector.width=32", "contrast.projector.pool=1")
    assert {name for name, term in terms.items() if term != 0} == {"silog", "contrast", "total"}
    assert terms["contrast"] > 0
    assert torch.allclose(terms["total"], terms["silog"] + 0.1 * terms["contrast"])


def test_a_weight_on_a_term_that_the_model_does_not_have_is_an_error():
    with pytest.raises(ValueError, match=r"no smoothness: set objective\.weights\.smoothness=0"):
        training_terms("da_mix", "objective.weights.smoothness=0.1")
