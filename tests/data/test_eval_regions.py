import pytest
import torch

from tr2m.data.eval_regions import FractionBox, FullFrame, PixelBox

NYU_EIGEN = PixelBox(45, 471, 41, 601)
GARG = FractionBox(0.40810811, 0.99189189, 0.03594771, 0.96405229)
KITTI_EIGEN = FractionBox(0.3324324, 0.91351351, 0.0359477, 0.96405229)


@pytest.mark.parametrize(
    ("region", "size", "box"),
    [
        (NYU_EIGEN, (480, 640), (45, 471, 41, 601)),
        (NYU_EIGEN, (768, 1024), (45, 471, 41, 601)),
        (NYU_EIGEN, (200, 300), (45, 200, 41, 300)),
        (NYU_EIGEN, (40, 40), (0, 0, 0, 0)),
        (GARG, (352, 1216), (143, 349, 43, 1172)),
        (GARG, (375, 1242), (153, 371, 44, 1197)),
        (GARG, (370, 1226), (151, 366, 44, 1181)),
        (GARG, (376, 1241), (153, 372, 44, 1196)),
        (GARG, (374, 1238), (152, 370, 44, 1193)),
        (GARG, (768, 1024), (313, 761, 36, 987)),
        (KITTI_EIGEN, (352, 1216), (117, 321, 43, 1172)),
        (KITTI_EIGEN, (375, 1242), (124, 342, 44, 1197)),
        (KITTI_EIGEN, (370, 1226), (122, 337, 44, 1181)),
        (KITTI_EIGEN, (376, 1241), (124, 343, 44, 1196)),
        (KITTI_EIGEN, (374, 1238), (124, 341, 44, 1193)),
        (FullFrame(), (475, 475), (0, 475, 0, 475)),
    ],
)
def test_boxes(region, size, box):
    mask = region.mask(*size)
    top, bottom, left, right = box
    expected = torch.zeros(size, dtype=torch.bool)
    expected[top:bottom, left:right] = True
    assert mask.dtype == torch.bool
    assert torch.equal(mask, expected)


def test_descriptions_are_one_line_each():
    assert FullFrame().description == "whole frame"
    assert NYU_EIGEN.description == "rows 45:471, columns 41:601"
    assert GARG.description == "rows 0.40810811-0.99189189 of the height, columns 0.03594771-0.96405229 of the width"
