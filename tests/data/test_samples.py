"""The readers on real frames, against numbers that another program measured on the same files."""

import csv
import os
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tr2m.data.captions.files import CaptionFiles
from tr2m.data.decoding.decode import read_depth_png, read_depth_units, read_rgb
from tr2m.data.decoding.stored_png import with_stored_pixels
from tr2m.data.readers import simcol, sunrgbd
from tr2m.data.readers.folder import Folder
from tr2m.data.readers.hypersim import LIST, listed_frames
from tr2m.data.readers.hypersim_files import planar_depth, read_dataset
from tr2m.data.readers.kitti import KITTI
from tr2m.data.readers.listing import only_file
from tr2m.data.readers.nyuv2 import NYUv2
from tr2m.data.splits import select_split

pytestmark = pytest.mark.skipif("TR2M_SAMPLES" not in os.environ, reason="TR2M_SAMPLES names no folder of real frames")
SAMPLES = Path(os.environ.get("TR2M_SAMPLES", ""))
LISTS = Path(__file__).parents[2] / "data_splits"
# By name in expected.csv: how many files, how they decode, and half a quantisation step in metres.
DECODED = {
    "nyuv2": (7, lambda path: read_depth_png(path, 1000.0), 5e-4),
    "kitti": (10, lambda path: read_depth_png(path, 256.0), 0.5 / 256),
    "sunrgbd (bit rotation)": (2, lambda path: sunrgbd.metres(read_depth_units(path), "bitrotate"), 5e-4),
    "simcol": (5, lambda path: read_depth_png(path, simcol.UNITS_PER_MM) / 1000, 0.5e-3 / simcol.UNITS_PER_MM),
    "hypersim ray distance": (1, lambda path: read_dataset(path, 2).astype(np.float32), 1e-6),
    "hypersim z at f=886.81": (1, lambda path: planar_depth(read_dataset(path, 2)), 1e-6),
}
NYU_SIZE, KITTI_SIZE = (480, 640), (352, 1216)


def nyuv2(split: str, split_file: str = "samples_nyuv2.yaml") -> NYUv2:
    return NYUv2(**frames("nyuv2", "nyu", split, split_file), input_size=(28, 42), depth_range=(1e-3, 10.0))


def kitti(split: str, split_file: str = "samples_kitti.yaml") -> KITTI:
    own = {"ground_truth": {"train": "groundtruth", "test": "velodyne_raw"}[split]}
    return KITTI(**frames("kitti", "kitti", split, split_file), input_size=(28, 98), depth_range=(1e-3, 80.0), **own)


def frames(name: str, captions: str, split: str, split_file: str) -> dict[str, Any]:
    """Where a reader finds them."""
    places = {"root": SAMPLES / name, "split_file": LISTS / split_file}
    return {"name": name, "split": split, "captions": CaptionFiles(SAMPLES / "captions" / captions), **places}


def expected(name: str) -> list[dict[str, str]]:
    with (SAMPLES / "expected.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["dataset"] == name]


def check(depth: np.ndarray, row: dict[str, str], tolerance: float) -> None:
    assert depth.shape == (int(row["height"]), int(row["width"])), row
    valid = depth[depth > 0]
    assert valid.size / depth.size == pytest.approx(float(row["valid_fraction"]), abs=1e-6), row
    for name, value in (("min", valid.min()), ("median", np.median(valid)), ("max", valid.max())):
        # The table has six decimals.
        assert value == pytest.approx(float(row[name]), abs=tolerance + 5e-7), (name, row)
    assert valid.mean(dtype=np.float64) == pytest.approx(float(row["mean"]), abs=tolerance + 5e-7), row


@pytest.mark.parametrize("name", DECODED)
def test_every_depth_file_decodes_to_what_was_measured(name):
    count, decode, tolerance = DECODED[name]
    rows = expected(name)
    assert len(rows) == count
    for row in rows:
        check(decode(SAMPLES / row["file"]), row, tolerance)


def test_red_kitchen_through_the_folder_reader():
    rows = {row["file"]: row for row in expected("redkitchen")}
    shared = {"root": SAMPLES / "redkitchen", "input_size": (28, 42), "depth_range": (1e-3, 10.0)}
    datasets = [Folder(name="redkitchen", split=s, invalid=[0, 65535], **shared) for s in ("train", "test")]
    assert [len(dataset) for dataset in datasets] == [54, 18]
    assert not set(datasets[0].sample_ids) & set(datasets[1].sample_ids)
    for dataset in datasets:
        for index, sample_id in enumerate(dataset.sample_ids):
            check(dataset.read_frame(index).depth, rows[f"redkitchen/depth/{sample_id[-6:]}.png"], 5e-4)
        assert "kitchen" in dataset.evaluation_sample(0).caption


def test_frames_of_sunrgbd_and_simcol_pair_up():
    for row in expected("sunrgbd (bit rotation)"):
        folder = (SAMPLES / row["file"]).parents[1]
        assert only_file(folder / "depth", ".png") == SAMPLES / row["file"]
        assert read_rgb(only_file(folder / "image", ".jpg")).shape == (int(row["height"]), int(row["width"]), 3)
    for row in expected("simcol"):
        image = read_rgb(SAMPLES / row["file"].replace("Depth", "FrameBuffer"))
        assert image.shape == (475, 475, 3)
        assert 0.05 < image.mean() / 255 < 0.95


def test_hypersim_counts_are_those_of_the_authors_list():
    listed = {split: listed_frames(SAMPLES / "hypersim" / LIST, split) for split in ("train", "val", "test")}
    assert {split: len(frames) for split, frames in listed.items()} == {"train": 59543, "val": 7386, "test": 7690}
    assert select_split(LISTS / "hypersim.yaml", "test", listed["test"]) == listed["test"]
    scenes = {split: {scene for scene, _ in frames} for split, frames in listed.items()}
    assert not scenes["test"] & (scenes["train"] | scenes["val"])


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
        assert 25 < sample.image.float().mean() < 230
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
    dataset = {"nyuv2": nyuv2, "kitti": kitti}[name]("test", f"{name}.yaml")
    assert all(captions.lines("test", sample_id) for sample_id in dataset.sample_ids)
    assert len(list(captions.root.rglob("*.txt"))) == len(dataset) == count


def test_void_counts_are_those_of_the_caption_files():
    with tarfile.open(SAMPLES / "rsa_text_test.tar.gz") as archive:
        names = [Path(m.name) for m in archive if m.isfile() and m.name.startswith("text_all/void/")]
    found = [(name.parents[1].name, name.stem) for name in names]
    assert len(select_split(LISTS / "void.yaml", "test", found)) == len(found) == 800


def test_png_inflated_by_another_library_is_the_same_picture():
    paths = sorted(SAMPLES.rglob("*.png"))
    assert len(paths) > 80
    for path in paths:
        data = path.read_bytes()
        stored = with_stored_pixels(data)
        assert stored is not data, path
        picture, expected = (cv2.imdecode(np.frombuffer(d, np.uint8), cv2.IMREAD_UNCHANGED) for d in (stored, data))
        np.testing.assert_array_equal(picture, expected)
