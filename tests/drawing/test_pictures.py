"""What is drawn, before it is drawn: limits, holes and titles that can be known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tr2m.drawing.colours import colourise, depth_style, holes
from tr2m.drawing.grid import Picture, abs_rel, ground_truth, outside, save_grid
from tr2m.errors import UserError

DEPTH = torch.arange(101.0).reshape(1, 101)
ALL = torch.ones(1, 101, dtype=torch.bool)


def test_colours_span_what_is_scored_but_for_its_ends():
    style = depth_style(DEPTH, ALL)
    assert (style["vmin"], style["vmax"]) == (pytest.approx(2), pytest.approx(98))
    far = DEPTH >= 50
    assert depth_style(DEPTH, far)["vmin"] == pytest.approx(51)
    assert depth_style(DEPTH, ~ALL)["vmax"] == 1


def test_what_is_not_scored_is_a_hole():
    scored = DEPTH < 3
    assert holes(DEPTH, scored).isnan().sum() == 98
    assert ground_truth(DEPTH, scored, "mm", {}).title == "ground truth (mm)"
    assert ground_truth(DEPTH, scored, "mm", {}).values[0, :3].tolist() == [0, 1, 2]


def test_abs_rel_is_that_of_scored_pixels():
    depth, prediction = torch.tensor([[2.0, 4.0, 0.0]]), torch.tensor([[3.0, 5.0, 9.0]])
    picture = abs_rel("here", prediction, depth, depth > 0)
    assert picture.title == "here, mean 0.375"
    assert picture.values[0, :2].tolist() == [0.5, 0.25]
    assert picture.values[0, 2].isnan()
    assert abs_rel("here", prediction, depth, depth > 9).title == "here, no valid pixel"


def test_a_map_that_is_not_finite_is_black_there():
    picture = colourise(np.array([[1.0, 2.0, np.nan, np.inf]], np.float32), "viridis")
    assert (picture[0, 2:] == 0).all()
    assert (picture[0, :2] > 0).any(axis=1).all()


def test_a_rectangle_and_a_hole_are_drawn(tmp_path: Path):
    values = torch.full((40, 40), 0.5)
    plain = Picture("", values, {"cmap": "gray", "vmin": 0, "vmax": 1})
    save_grid(tmp_path / "a/plain.png", [[plain]])
    save_grid(tmp_path / "a/box.png", [[Picture("", values, plain.style, (10, 30, 10, 30))]])
    values = values.clone()
    values[:20] = float("nan")
    save_grid(tmp_path / "a/hole.png", [[Picture("", values, plain.style)]])
    drawn = [cv2.imread(str(tmp_path / f"a/{name}.png")).astype(int) for name in ("plain", "box", "hole")]
    assert (drawn[0] != drawn[1]).any()
    # 0.75 of 255, which the map of one value does not have.
    grey = [np.mean((picture == 191).all(axis=-1)) for picture in drawn]
    assert grey[2] > 0.2 > grey[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0], ("neither", "")),
        ([0.5, 2.0, 3.0], ("min", ", 33% off the bar")),
        ([1.0, 2.0, 3.5, float("nan")], ("max", ", 33% off the bar")),
        ([0.5, 3.5], ("both", ", 100% off the bar")),
        ([0.5, *[2.0] * 10], ("min", "")),
        ([float("nan")], ("neither", "")),
    ],
)
def test_values_beyond_the_colour_bar_are_marked(values: list[float], expected: tuple[str, str]):
    picture = Picture("prediction", torch.tensor([values]), {"vmin": 1.0, "vmax": 3.0})
    assert outside(picture) == expected
    assert outside(Picture("scale map", torch.tensor([values]))) == ("neither", "")


def test_a_figure_is_a_whole_file_of_its_format_or_none(tmp_path: Path):
    picture = Picture("", torch.zeros(4, 4))
    save_grid(tmp_path / "a.pdf", [[picture]])
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        save_grid(tmp_path / "file/a.png", [[picture]])
    with pytest.raises(ValueError, match="xyz"):
        save_grid(tmp_path / "a.xyz", [[picture]])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "file"]
