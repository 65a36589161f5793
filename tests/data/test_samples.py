"""The readers on real frames, against numbers that another program measured on the same files."""

import csv
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tr2m.data.captions import CaptionFiles
from tr2m.data.decode import read_depth_png
from tr2m.data.kitti import KITTI
from tr2m.data.nyuv2 import NYUv2

pytestmark = pytest.mark.skipif("TR2M_SAMPLES" not in os.environ, reason="TR2M_SAMPLES names no folder of real frames")
SAMPLES = Path(os.environ.get("TR2M_SAMPLES", ""))
LISTS = Path(__file__).parents[2] / "data_splits"
UNITS_PER_METRE = {"nyuv2": 1000.0, "kitti": 256.0}
NYU_SIZE, KITTI_SIZE = (480, 640), (352, 1216)


def nyuv2(split: str) -> NYUv2:
    captions = CaptionFiles(SAMPLES / "captions/nyu")
    return NYUv2("nyuv2", split, SAMPLES / "nyuv2", LISTS / "samples_nyuv2.yaml", captions, (28, 42), (1e-3, 10.0))


def kitti(split: str) -> KITTI:
    captions, split_file = CaptionFiles(SAMPLES / "captions/kitti"), LISTS / "samples_kitti.yaml"
    depth = {"train": "groundtruth", "test": "velodyne_raw"}[split]
    return KITTI("kitti", split, SAMPLES / "kitti", split_file, captions, (28, 98), (1e-3, 80.0), ground_truth=depth)


def test_every_depth_file_decodes_to_what_was_measured():
    with (SAMPLES / "expected.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] in UNITS_PER_METRE]
    assert len(rows) == 17
    for row in rows:
        units = UNITS_PER_METRE[row["dataset"]]
        depth = read_depth_png(SAMPLES / row["file"], units)
        assert depth.shape == (int(row["height"]), int(row["width"])), row
        valid = depth[depth > 0]
        assert valid.size / depth.size == pytest.approx(float(row["valid_fraction"]), abs=1e-6), row
        for name, value in (("min", valid.min()), ("median", np.median(valid)), ("max", valid.max())):
            assert value == pytest.approx(float(row[name]), abs=0.5 / units), (name, row)
        assert valid.mean(dtype=np.float64) == pytest.approx(float(row["mean"]), abs=0.5 / units), row


@pytest.mark.parametrize(
    ("open_split", "split", "count", "size", "shares"),
    [
        (nyuv2, "train", 6, NYU_SIZE, (0.5, 0.8)),
        (nyuv2, "test", 1, NYU_SIZE, (0.7, 0.8)),
        (kitti, "train", 3, KITTI_SIZE, (0.18, 0.24)),
        (kitti, "test", 7, KITTI_SIZE, (0.03, 0.04)),
    ],
)
def test_frames(open_split, split, count, size, shares):
    dataset = open_split(split)
    assert len(dataset) == count
    for index in range(count):
        sample = dataset.evaluation_sample(index)
        assert sample.depth.shape == size
        assert shares[0] < sample.valid.float().mean() < shares[1], sample.sample_id
        assert 0.1 < sample.image.mean() < 0.9
        trained = dataset.training_sample(index, np.random.default_rng(0))
        assert trained.depth.shape == dataset.input_size
        assert trained.valid.any()
        assert trained.caption in dataset.captions.lines(split, sample.sample_id)


@pytest.mark.parametrize(
    ("open_split", "split", "index", "word"),
    [
        (nyuv2, "test", 0, "bicycle"),
        (nyuv2, "train", 1, "basement"),
        (kitti, "train", 1, "train"),
        (kitti, "test", 0, "truck"),
    ],
)
def test_captions_belong(open_split, split, index, word):
    dataset = open_split(split)
    assert any(word in line.lower() for line in dataset.captions.lines(split, dataset.sample_ids[index]))


def test_kitti_image_and_depth_show_the_same_road():
    # A shift of the crop between image and depth would move the sky, where lidar never returns, into the depth.
    for index in range(3):
        depth = kitti("train").read_frame(index).depth
        assert (depth[:60] > 0).mean() < 0.05
        assert (depth[200:330] > 0).mean() > 0.2


@pytest.mark.parametrize(("name", "folder", "count"), [("nyuv2", "nyu", 654), ("kitti", "kitti", 652)])
def test_every_test_frame_has_its_caption_file(tmp_path, name, folder, count):
    with tarfile.open(SAMPLES / "rsa_text_test.tar.gz") as archive:
        archive.extractall(tmp_path, [m for m in archive if m.name.startswith(f"text_all/{folder}/")], filter="data")
    captions = CaptionFiles(tmp_path / "text_all" / folder)
    reader = {"nyuv2": NYUv2, "kitti": KITTI}[name]
    dataset = reader(name, "test", SAMPLES / name, LISTS / f"{name}.yaml", captions, (28, 42), (1e-3, 10.0))
    assert all(captions.lines("test", sample_id) for sample_id in dataset.sample_ids)
    assert len(list(captions.root.rglob("*.txt"))) == len(dataset) == count
