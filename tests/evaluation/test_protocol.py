import math

import pytest
import tiny
import torch

from tr2m.build import build
from tr2m.data.eval_regions import FullFrame, PixelBox
from tr2m.errors import UserError
from tr2m.evaluation.protocol import Protocol, resize_to


def protocol(**changes: object) -> Protocol:
    return Protocol(**{"name": "paper", "min_depth": 1e-3, "max_depth": 10.0, "region": FullFrame(), **changes})


def test_range_is_strict_and_the_region_is_cut_out():
    depth = torch.tensor([[0.0, 1e-3, 0.002, 9.999, 10.0, 5.0]])
    scored = protocol().scored(depth, torch.ones_like(depth, dtype=torch.bool))
    assert scored.tolist() == [[False, False, True, True, False, True]]
    box = protocol(region=PixelBox(0, 1, 0, 3)).scored(depth, depth != 5)
    assert box.tolist() == [[False, False, True, False, False, False]]
    assert protocol().scored(depth, depth == 5).tolist() == [[False, False, False, False, False, True]]


def test_few_pixels_are_no_measurement():
    depth = torch.zeros(4, 5)
    depth.view(-1)[:9] = 2.0
    assert protocol().score(depth + 1, depth, depth > 0) is None
    depth.view(-1)[9] = 2.0
    assert protocol().score(depth + 1, depth, depth > 0)["abs_rel"] == pytest.approx(0.5)


def test_predictions_are_clamped_to_the_range_and_never_nan():
    depth = torch.full((1, 12), 5.0)
    prediction = torch.tensor([[math.nan, math.inf, -math.inf, 0.0, 99.0, 5, 5, 5, 5, 5, 5, 5]])
    metrics = protocol(min_depth=0.0).score(prediction, depth, depth > 0)
    # NaN, -inf and 0 become 0.001; inf and 99 become 10.
    assert metrics["abs_rel"] == pytest.approx((3 * 4.999 / 5 + 2 * 1) / 12)
    assert math.isfinite(metrics["silog"])


def test_resizing_keeps_the_corners_in_place():
    resized = resize_to(torch.tensor([[1.0, 3.0], [5.0, 7.0]]), (3, 5))
    assert [resized[0, 0], resized[0, -1], resized[-1, 0], resized[-1, -1]] == [1, 3, 5, 7]
    assert resized[1].tolist() == [3.0, 3.5, 4.0, 4.5, 5.0]


@pytest.mark.parametrize(
    ("dataset", "size", "rows", "columns", "low", "high"),
    [("nyuv2", (480, 640), (45, 471), (41, 601), 1e-3, 10), ("kitti", (352, 1216), (143, 349), (43, 1172), 1e-3, 80)],
)
def test_configured_protocols_are_those_of_published_rows(
    dataset: str, size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int], low: float, high: float
):
    configured = build(tiny.config(f"dataset={dataset}", name="eval")["dataset"]["protocols"]["paper"], name="paper")
    mask = configured.region.mask(*size)
    expected = torch.zeros(size, dtype=torch.bool)
    expected[slice(*rows), slice(*columns)] = True
    assert torch.equal(mask, expected)
    assert (configured.min_depth, configured.max_depth) == (low, high)


def test_how_few_pixels_are_an_image_is_the_protocols_choice():
    depth = torch.zeros(1, 12)
    depth[0, :3] = 2
    assert protocol().score(depth, depth, depth > 0) is None
    assert protocol(min_pixels=1).score(depth, depth, depth > 0) is not None
    assert protocol(min_pixels=1).score(depth, depth * 0, depth < 0) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_depth": 20.0}, "protocol paper: min_depth 20, max_depth 10: expected two depths from 0, the smaller"),
        ({"min_depth": 10.0}, "min_depth 10, max_depth 10"),
        ({"min_depth": -1.0}, "min_depth -1, max_depth 10"),
        ({"max_depth": math.nan}, "min_depth 0.001, max_depth nan"),
        ({"max_depth": math.inf}, "min_depth 0.001, max_depth inf"),
        ({"min_pixels": 0}, "min_pixels = 0, expected int, at least 1"),
    ],
)
def test_a_protocol_that_could_score_nothing_is_refused(changes: dict[str, float], message: str):
    given = {"name": "paper", "min_depth": 1e-3, "max_depth": 10.0, "region": FullFrame(), **changes}
    with pytest.raises(UserError, match=message):
        build({"_target_": "tr2m.evaluation.protocol.Protocol", **given})
