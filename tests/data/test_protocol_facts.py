"""What `paper` and `clean` score of each data set: ranges, regions and readings of the public code that they follow."""

from typing import Any

import pytest
import tiny

from tr2m.build import build

EIGEN = "rows 45:471, columns 41:601"
GARG = "rows 0.40810811-0.99189189 of the height, columns 0.03594771-0.96405229 of the width"
EIGEN_SHARES = "rows 0.09375-0.98125 of the height, columns 0.0640625-0.9390625 of the width"
WHOLE = "whole frame"
Facts = tuple[tuple[float, float], str, dict[str, Any]]
FACTS: dict[tuple[str, str], Facts] = {
    ("nyuv2", "paper"): ((0.001, 10), EIGEN, {}),
    ("nyuv2", "clean"): ((0.001, 10), EIGEN, {}),
    ("kitti", "paper"): ((0.001, 80), GARG, {}),
    ("kitti", "clean"): ((0.001, 80), WHOLE, {}),
    ("void", "paper"): ((0.2, 5), WHOLE, {}),
    ("void", "clean"): ((0.2, 5), WHOLE, {}),
    ("c3vd", "paper"): ((0.001, 100), WHOLE, {"mask_corners": False}),
    ("c3vd", "clean"): ((0.001, 100), WHOLE, {}),
    ("sunrgbd", "paper"): ((0, 8), EIGEN, {"depth_decode": "div10000", "depth_folder": "depth"}),
    ("sunrgbd", "clean"): ((0.001, 8), WHOLE, {"exclude_nyu": True}),
    ("ibims", "paper"): ((0, 10), EIGEN, {}),
    ("ibims", "clean"): ((0.1, 50), WHOLE, {}),
    # Eigen's box of 480x640 on depth of 768x1024, as the public code has it; its shares of the frame in clean.
    ("hypersim", "paper"): ((0.001, 80), EIGEN, {"image": "preview", "image_size": [480, 640]}),
    ("hypersim", "clean"): ((0.001, 80), EIGEN_SHARES, {"mask_without_entity": True}),
    ("diode", "paper"): ((0.001, 80), GARG, {"use_mask": False, "image_size": [480, 640]}),
    ("diode", "clean"): ((0.6, 80), WHOLE, {}),
    ("simcol", "paper"): ((0.001, 200), WHOLE, {}),
    ("simcol", "clean"): ((0.001, 200), WHOLE, {}),
}
# What a reader does where a protocol asks for nothing else.
READERS: dict[str, dict[str, Any]] = {
    "kitti": {"ground_truth": "groundtruth"},
    "c3vd": {"crop": [180, 900, 200, 1150], "mask_corners": True},
    "sunrgbd": {"depth_decode": "bitrotate", "depth_folder": "depth", "exclude_nyu": False},
    "hypersim": {"image": "color", "mask_without_entity": False},
}


@pytest.mark.parametrize(("name", "protocol"), FACTS)
def test_range_region_and_reading(name: str, protocol: str):
    depth_range, region, changed = FACTS[name, protocol]
    config = tiny.config(f"dataset={name}", name="eval")["dataset"]["protocols"][protocol]
    assert config.pop("reader", {}) == changed
    built = build(config, name=protocol)
    assert (built.min_depth, built.max_depth, built.region.description) == (*depth_range, region)
    assert (built.flip_tta, built.min_pixels) == (False, 10)


@pytest.mark.parametrize("name", READERS)
def test_what_the_reader_does_otherwise(name: str):
    reader = tiny.config(f"dataset={name}", name="eval")["dataset"]["reader"]
    assert {option: reader[option] for option in READERS[name]} == READERS[name]
