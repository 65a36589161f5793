import pytest
import torch

from tr2m.losses.pseudo_depth import PseudoDepthLoss
from tr2m.losses.silog import SILogLoss

RANGE = (1e-3, 10.0)


def make(space: str = "inverse_depth", threshold: float = 0.9) -> PseudoDepthLoss:
    return PseudoDepthLoss(SILogLoss(0.15, "eq4"), threshold, space)


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Dense true depth of 1-8 m, a perfect relative depth of it, and a third of the pixels with ground truth."""
    depth = torch.linspace(1, 8, 60).view(1, 6, 10)
    valid = torch.zeros(1, 6, 10, dtype=torch.bool)
    valid.view(-1)[::3] = True
    return depth, 2 / depth - 0.1, valid


def test_pseudo_depth_of_a_perfect_relative_model_is_the_true_depth_where_there_is_no_ground_truth():
    depth, relative, valid = scene()
    pseudo, usable = make().pseudo_depth(relative, depth.where(valid, 0.0), valid, RANGE)
    assert usable.all()
    torch.testing.assert_close(pseudo, depth)
    loss, gate = make()(2 * depth, relative, depth.where(valid, 0.0), valid, RANGE)
    assert gate.item() == 1
    assert loss.item() == pytest.approx(0.85 * torch.log(torch.tensor(2.0)).item() ** 2, rel=1e-4)


def test_the_literal_fit_in_depth_does_not_pass_the_gate():
    depth, relative, valid = scene()
    loss, gate = make("depth")(2 * depth, relative, depth.where(valid, 0.0), valid, RANGE)
    assert (gate.item(), loss.item()) == (0, 0)


def test_only_positive_disparity_inside_the_range_is_used():
    # 1 / depth = relative on the two valid pixels: the others come out negative, beyond 10 m, at 2 m, below 0.5 m.
    relative = torch.tensor([[[1.0, 0.25, -0.5, 0.05, 0.5, 4.0]]])
    depth = torch.tensor([[[1.0, 4.0, 0.0, 0.0, 0.0, 0.0]]])
    pseudo, usable = make().pseudo_depth(relative, depth, depth > 0, (0.5, 10.0))
    assert usable.tolist() == [[[True, True, False, False, True, False]]]
    assert pseudo[0, 0, 4].item() == pytest.approx(2.0, rel=1e-5)


def test_the_gate_is_strict_and_per_image():
    loss = make(threshold=0.75)
    depth = torch.ones(2, 1, 4)
    pseudo = torch.tensor([[[1.0, 1.0, 1.0, 1.3]], [[1.0, 1.0, 1.0, 1.2]]])
    everywhere = torch.ones(2, 1, 4, dtype=torch.bool)
    assert loss.passes(pseudo, everywhere, depth, everywhere).tolist() == [False, True]
    # Too near is as wrong as too far, a factor of 1.25 itself is wrong, and so is a pixel that cannot be used.
    assert loss.passes(1 / pseudo, everywhere, depth, everywhere).tolist() == [False, True]
    assert loss.passes(pseudo.where(pseudo == 1, 1.25), everywhere, depth, everywhere).tolist() == [False, False]
    usable = torch.tensor([True, True, True, False]).expand(2, 1, 4)
    assert loss.passes(torch.ones(2, 1, 4), usable, depth, everywhere).tolist() == [False, False]


def test_an_image_that_fails_the_gate_counts_with_zero_in_the_mean():
    depth, relative, valid = scene()
    wrong = relative.flip(-1).flip(-2)
    both = [torch.cat(pair) for pair in ((2 * depth, 2 * depth), (relative, wrong), (depth, depth), (valid, valid))]
    prediction, relative, depth, valid = both
    loss, gate = make()(prediction, relative, depth.where(valid, 0.0), valid, RANGE)
    assert gate.item() == 0.5
    assert loss.item() == pytest.approx(0.85 * torch.log(torch.tensor(2.0)).item() ** 2 / 2, rel=1e-4)


def test_pixels_without_ground_truth_are_supervised():
    depth, relative, valid = scene()
    # Right where there is ground truth, e times too far on the other two thirds: e^2 has mean 2/3, e has mean 2/3.
    prediction = depth.where(valid, torch.e * depth)
    loss, _ = make()(prediction, relative, depth.where(valid, 0.0), valid, (1e-3, 100.0))
    assert loss.item() == pytest.approx(2 / 3 - 0.15 * 4 / 9, rel=1e-4)


@pytest.mark.parametrize("space", ["inverse_depth", "depth"])
@pytest.mark.parametrize("pixels", [0, 1, 60])
def test_degenerate_images_stay_finite(space: str, pixels: int):
    prediction = torch.full((1, 6, 10), 2.0, requires_grad=True)
    valid = torch.zeros(1, 6, 10, dtype=torch.bool)
    valid.view(-1)[:pixels] = True
    constant = torch.full((1, 6, 10), 0.7)
    loss, _ = make(space)(prediction, constant, torch.full((1, 6, 10), 3.0).where(valid, 0.0), valid, RANGE)
    loss.backward()
    assert loss.isfinite()
    assert prediction.grad.isfinite().all()
