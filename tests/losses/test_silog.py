import math

import pytest
import torch

from tr2m.losses.silog import SILogLoss, mean_over_images

TWO_PIXELS = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[math.e, 2.0]]])  # e = (-1, 0)
BOTH = torch.tensor([[[True, True]]])


@pytest.mark.parametrize(
    ("form", "variance_focus", "expected"),
    [
        ("eq4", 0.15, 0.5 - 0.15 * 0.25),
        ("bts", 0.85, 10 * math.sqrt(0.5 - 0.85 * 0.25)),
        ("zoedepth", 0.85, 10 * math.sqrt(0.5 + 0.15 * 0.25)),  # unbiased variance of (-1, 0) is 0.5
    ],
)
def test_two_pixels_by_hand(form: str, variance_focus: float, expected: float):
    prediction, depth = TWO_PIXELS
    loss = SILogLoss(variance_focus, form)(prediction, depth, BOTH)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_invalid_pixels_change_nothing():
    generator = torch.Generator().manual_seed(0)
    prediction, depth = 1 + torch.rand(2, 2, 5, 7, generator=generator)
    valid = torch.rand(2, 5, 7, generator=generator) < 0.5
    loss = SILogLoss(0.15, "eq4")
    expected = loss(prediction, depth, valid)
    torch.testing.assert_close(loss(prediction.where(valid, 77.0), depth.where(valid, 0.0), valid), expected)
    for image in range(2):
        error = (prediction[image].log() - depth[image].log())[valid[image]]
        by_hand = (error**2).mean() - 0.15 * error.mean() ** 2
        torch.testing.assert_close(expected[image], by_hand)


@pytest.mark.parametrize("form", ["eq4", "bts", "zoedepth"])
@pytest.mark.parametrize("pixels", [0, 1])
def test_no_pixel_one_pixel_and_an_exact_fit_have_finite_gradients(form: str, pixels: int):
    prediction = torch.full((2, 3, 4), 2.0, requires_grad=True)
    valid = torch.zeros(2, 3, 4, dtype=torch.bool)
    valid[:, 0, :pixels] = True
    loss = mean_over_images(SILogLoss(0.15, form)(prediction, torch.full((2, 3, 4), 2.0), valid), valid)
    loss.backward()
    assert loss.item() == 0
    assert prediction.grad.isfinite().all()


def test_mean_leaves_out_images_without_ground_truth():
    valid = torch.tensor([[[True]], [[False]], [[True]]])
    assert mean_over_images(torch.tensor([1.0, 0.0, 3.0]), valid).item() == 2.0
