"""The picture of a benchmark shows the rows of its table."""

from __future__ import annotations

from pathlib import Path

import torch

from tr2m.benchmark.growth import lines, plot, varied
from tr2m.benchmark.measurement import Measurement

ROWS = [
    {"size": "10x20", "batch": 4, "images/s": 8.0, "peak (MiB)": None},
    {"size": "2x5", "batch": 4, "images/s": 9.0, "peak (MiB)": 1.0},
    {"size": "10x20", "batch": 2, "images/s": 7.0, "peak (MiB)": 3.0},
]


def test_a_line_for_each_setting_of_the_other_factors():
    assert lines(ROWS, "batch", ["size"], "images/s") == [
        (["size 10x20"], [(2, 7.0), (4, 8.0)]),
        (["size 2x5"], [(4, 9.0)]),
    ]
    # Sizes are so many pixels, and what was not measured has no point.
    assert lines(ROWS, "size", ["batch"], "peak (MiB)") == [(["batch 2"], [(200, 3.0)]), (["batch 4"], [(10, 1.0)])]
    assert lines(ROWS[1:], "size", [], "images/s") == [([], [(10, 9.0), (200, 7.0)])]


def test_the_plot_is_a_picture_of_what_varies(tmp_path: Path):
    measures = {"images/s": ["images/s"], "MiB": ["peak (MiB)"]}
    result = Measurement("train", torch.device("cpu"), ROWS[::2], factors=["size", "batch"], measures=measures)
    assert varied(result) == ["batch"]
    plot(result, tmp_path / "train.png")
    assert (tmp_path / "train.png").read_bytes().startswith(b"\x89PNG")
