"""The coarse contrast against numbers worked out by hand and against plain loops."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import tiny
import torch
from small_run import make_trainer
from torch import Tensor
from world import Flat

from tr2m.errors import UserError
from tr2m.losses.image_contrast import ImageContrast

RELATIVE = torch.tensor([[1.0, 2.0, 4.0]])


def images(scales: list[float], shifts: list[float] | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Relative depth, depth and valid pixels of images whose least-squares fit has these scales and shifts (10)."""
    shift = torch.tensor(shifts or [10.0] * len(scales))[:, None, None]
    relative = RELATIVE.expand(len(scales), 1, 3).clone()
    depth = 1 / (torch.tensor(scales)[:, None, None] * relative + shift)
    return relative, depth, torch.ones_like(depth, dtype=torch.bool)


def tokens(*features: list[float]) -> Tensor:
    """One token an image."""
    return torch.tensor(features)[:, None, :].requires_grad_(True)


def test_three_images_by_hand():
    # By scale: image 0, image 2, image 1. Image 2 is a neighbour of both others and has no negative: it does not count.
    # Fitted to the depth itself, image 0 would stand in the middle.
    fused = tokens([2.0, 0.0], [0.6, 0.8], [0.0, 3.0])
    loss = ImageContrast(2, 0.5)(fused, *images([1.0, 3.0, 2.0], shifts=[10.0, 100.0, 10.0]))
    first = -math.log(math.exp(0 / 0.5) / (math.exp(0 / 0.5) + math.exp(0.6 / 0.5)))
    second = -math.log(math.exp(0.8 / 0.5) / (math.exp(0.8 / 0.5) + math.exp(0.6 / 0.5)))
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-5)


@pytest.mark.parametrize("rank_distance", [2, 3, 4])
def test_several_positives_and_negatives_against_plain_loops(rank_distance: int):
    scales = [3.0, 0.5, 1.0, 7.0, 2.0, 1.5]
    fused = torch.randn(6, 4, 5, generator=torch.Generator().manual_seed(0))
    ranks = [sorted(scales).index(scale) for scale in scales]
    features = fused.double().mean(dim=1)
    cosine = [[torch.cosine_similarity(a, b, dim=0).item() for b in features] for a in features]
    losses = []
    for i in range(6):
        near = [j for j in range(6) if j != i and abs(ranks[i] - ranks[j]) < rank_distance]
        far = [j for j in range(6) if abs(ranks[i] - ranks[j]) >= rank_distance]
        if near and far:
            against = sum(math.exp(cosine[i][n] / 0.1) for n in far)
            own = [math.exp(cosine[i][p] / 0.1) for p in near]
            losses.append(sum(-math.log(one / (one + against)) for one in own) / len(own))
    loss = ImageContrast(rank_distance, 0.1)(fused, *images(scales))
    assert loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_one_image_and_no_negative_give_zero_with_a_finite_gradient(count: int):
    fused = tokens(*[[1.0, 2.0]] * count)
    loss = ImageContrast(2, 0.1)(fused, *images([1.0, 2.0][:count]))
    loss.backward()
    assert loss.item() == 0
    assert fused.grad.isfinite().all()


def test_an_image_without_valid_pixels_is_as_if_it_were_not_there():
    features = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.8, 0.6]]
    relative, depth, valid = images([-2.0, -1.0, 3.0, 4.0])
    for lacking in range(4):
        seen, some = [i for i in range(4) if i != lacking], valid.clone()
        some[lacking] = False
        fused = tokens(*features)
        loss = ImageContrast(2, 0.1)(fused, relative, depth * some, some)
        loss.backward()
        others = ImageContrast(2, 0.1)(tokens(*(features[i] for i in seen)), relative[seen], depth[seen], valid[seen])
        assert loss.item() == pytest.approx(others.item(), rel=1e-6)
        assert fused.grad.isfinite().all()
        assert (fused.grad[lacking] == 0).all()


def test_no_ground_truth_at_all_gives_zero_with_a_finite_gradient():
    fused = tokens([1.0, 0.0], [0.0, 1.0], [1.0, 1.0])
    relative, depth, valid = images([1.0, 2.0, 3.0])
    loss = ImageContrast(2, 0.1)(fused, relative, 0 * depth, valid & False)
    loss.backward()
    assert loss.item() == 0
    assert fused.grad.isfinite().all()


def test_a_distance_that_leaves_no_positives_is_refused():
    with pytest.raises(UserError, match="rank_distance=1: expected at least 2"):
        ImageContrast(1, 0.1)


def test_it_is_a_term_of_its_own_in_the_total_and_in_the_log(tmp_path: Path):
    near = Flat([1, 2, 3, 4], [48] * 4, "near")
    trainer = make_trainer(tmp_path, "objective=dual_level", sets=[near], batch_size=4, epochs=1, log_every=1)
    trainer.fit()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    weights = {"silog": 1.0, "pseudo": 0.5, "contrast": 0.1, "smoothness": 0.01, "image_contrast": 0.1}
    (line,) = (line for line in lines if line["kind"] == "train/near")
    assert line["image_contrast"] > 0
    assert line["total"] == pytest.approx(sum(weight * line[name] for name, weight in weights.items()), rel=1e-5)


def test_it_is_off_elsewhere():
    assert "image_contrast" not in tiny.config("experiment=mixed4")["objective"]["weights"]
    assert tiny.parts()[2].terms == ("silog", "pseudo", "contrast", "smoothness")
    assert tiny.config("experiment=dual_level")["objective"]["weights"]["image_contrast"] > 0
