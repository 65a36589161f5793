import math

import pytest
import torch

from tr2m.benchmark.plain_contrast import PlainContrast
from tr2m.losses.contrast import ScaleOrientedContrast


def test_two_pixels_by_hand():
    # Unit vectors at right angles; each pixel is its own only positive, the other one the only negative.
    queries = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    keys = torch.tensor([[[[2.0, 3.0]], [[0.0, 4.0]]]])  # normalised: (1, 0) and (0.6, 0.8)
    labels = torch.tensor([[[0, 1]]])
    loss = ScaleOrientedContrast(1)(queries, keys, labels, None)
    first = -math.log(math.exp(1.0) / (math.exp(1.0) + math.exp(0.6)))
    second = -math.log(math.exp(0.8) / (math.exp(0.8) + math.exp(0.0)))
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-6)


@pytest.mark.parametrize("images", [1, 3])
def test_equals_every_pixel_against_every_pixel(images: int):
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(2, images, 6, 5, 9, generator=generator, dtype=torch.float64).float()
    labels = torch.randint(-1, 5, (images, 5, 9), generator=generator)
    partner = None if images == 1 else torch.tensor([1, 2, 0])
    ours = queries.clone().requires_grad_(True)
    theirs = queries.double().requires_grad_(True)
    loss = ScaleOrientedContrast(4)(ours, keys, labels, partner)
    expected = PlainContrast(4, rows=7)(theirs, keys.double(), labels, partner)
    loss.backward()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert ((ours.grad - theirs.grad).norm() / theirs.grad.norm()).item() < 1e-5


@pytest.mark.parametrize("labels", [[[-1, -1, -1]], [[0, -1, -1]], [[2, 2, 2]], [[0, 1, 2]]])
def test_no_class_one_pixel_one_class_and_lone_classes_stay_finite(labels: list[list[int]]):
    queries = torch.randn(1, 4, 1, 3).requires_grad_(True)
    loss = ScaleOrientedContrast(2)(queries, torch.randn(1, 4, 1, 3), torch.tensor([labels]), None)
    loss.backward()
    assert loss.isfinite()
    assert queries.grad.isfinite().all()
    assert (loss.item() == 0) == (labels == [[-1, -1, -1]])


def test_zero_features_have_a_finite_gradient():
    queries = torch.zeros(1, 4, 1, 2, requires_grad=True)
    ScaleOrientedContrast(1)(queries, torch.zeros(1, 4, 1, 2), torch.tensor([[[0, 1]]]), None).backward()
    assert queries.grad.isfinite().all()
