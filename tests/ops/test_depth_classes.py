import pytest
import torch
import torch.nn.functional as F

from tr2m.ops.depth_classes import NO_CLASS, cell_depth, depth_classes, depth_extent


def classes_of(depth: torch.Tensor, valid: torch.Tensor, classes: int = 20) -> torch.Tensor:
    return depth_classes(depth, valid, *depth_extent(depth, valid), classes)


def test_golden_values_of_equation_7():
    # 9.9 m is a quarter of a class from the farthest, 9.7 m three quarters.
    depth = torch.tensor([[[10.0, 2.0, 6.0, 9.9, 9.7, 0.0]]])
    valid = torch.tensor([[[True, True, True, True, True, False]]])
    assert classes_of(depth, valid).tolist() == [[[0, 20, 10, 0, 1, NO_CLASS]]]


def test_twenty_classes_make_twenty_one_labels():
    depth = torch.linspace(1, 5, 401).view(1, 1, -1)
    labels = classes_of(depth, torch.ones_like(depth, dtype=torch.bool))
    assert sorted(labels.unique().tolist()) == list(range(21))


def test_range_is_of_each_image_and_invalid_pixels_do_not_stretch_it():
    depth = torch.tensor([[[1.0, 3.0, 99.0]], [[10.0, 30.0, 20.0]]])
    valid = torch.tensor([[[True, True, False]], [[True, True, True]]])
    assert classes_of(depth, valid).tolist() == [[[20, 0, NO_CLASS]], [[20, 0, 10]]]


def test_constant_depth_and_no_valid_pixel():
    depth = torch.full((2, 1, 2), 4.0)
    valid = torch.tensor([[[True, True]], [[False, False]]])
    assert classes_of(depth, valid).tolist() == [[[0, 0]], [[NO_CLASS, NO_CLASS]]]


def test_cells_average_their_valid_pixels_and_the_border_cell_is_partial():
    depth = torch.tensor([[[1.0, 3.0, 5.0], [2.0, 9.0, 7.0]]])
    valid = torch.tensor([[[True, True, True], [True, False, False]]])
    mean, filled = cell_depth(depth, valid, 2)
    assert mean.tolist() == [[[2.0, 5.0]]]
    assert filled.tolist() == [[[True, True]]]
    _, filled = cell_depth(depth, torch.zeros_like(valid), 2)
    assert not filled.any()


@pytest.mark.parametrize(("size", "cell"), [((434, 560), 56), ((30, 47), 8), ((5, 5), 8), ((16, 8), 8)])
def test_cells_are_those_of_average_pooling(size: tuple[int, int], cell: int):
    depth, valid = torch.rand(2, *size) * 5, torch.rand(2, *size) < 0.02
    weight = valid.float()
    total = F.avg_pool2d((depth * weight)[:, None], cell, ceil_mode=True)[:, 0]
    share = F.avg_pool2d(weight[:, None], cell, ceil_mode=True)[:, 0]
    mean, filled = cell_depth(depth, valid, cell)
    assert torch.equal(filled, share > 0)
    torch.testing.assert_close(mean, (total / share).nan_to_num())
