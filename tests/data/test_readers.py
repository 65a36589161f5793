"""The contract of every reader of files, on a tiny tree in the true names and encodings of its data set.

To add a reader: write its tree, add a row to READERS.
"""

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch

from tr2m.data.captions import CaptionFiles
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.kitti import KITTI
from tr2m.data.nyuv2 import NYUv2
from tr2m.data.nyuv2_labeled import NYUv2Labeled
from tr2m.errors import UserError

NYU_SIZE, KITTI_SIZE = (480, 640), (375, 1242)
NETWORK_SIZE = (28, 70)


def put(path: Path, array: np.ndarray) -> None:
    """Write an RGB or a depth array as the format that the name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array[..., ::-1] if array.ndim == 3 else array)


def colours(size: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def units(size: tuple[int, int], points: dict[tuple[int, int], int]) -> np.ndarray:
    """A depth file's content: 2000 units everywhere but at the (row, column) points."""
    depth = np.full(size, 2000, np.uint16)
    for point, value in points.items():
        depth[point] = value
    return depth


def split_list(path: Path, train: dict[str, str], test: dict[str, str]) -> Path:
    lines = []
    for name, members in (("train", train), ("test", test)):
        frames = sum(terms.count(",") + 1 for terms in members.values())
        lines += [f"{name}:", f"  groups: {len(members)}", f"  frames: {frames}", "  members:"]
        lines += [f'    {group}: "{terms}"' for group, terms in members.items()]
    path.write_text("\n".join(lines))
    return path


NYU_POINTS = {(240, 320): 1500, (100, 100): 0, (300, 300): 10000, (45, 43): 3210, (44, 43): 3000, (471, 607): 4321}
KITTI_POINTS = {(23, 13): 256, (22, 13): 300, (374, 1228): 65535, (200, 600): 25601, (201, 600): 0}


def nyuv2_tree(root: Path) -> Path:
    put(root / "sync/kitchen_0028b/rgb_00045.jpg", np.full((*NYU_SIZE, 3), (200, 100, 40), np.uint8))
    put(root / "sync/kitchen_0028b/sync_depth_00045.png", units(NYU_SIZE, NYU_POINTS))
    put(root / "sync/kitchen_0028b/rgb_00046.png", colours(NYU_SIZE, 1))
    put(root / "sync/kitchen_0028b/sync_depth_00046.png", units(NYU_SIZE, {}))
    put(root / "official_splits/test/bathroom/rgb_00001.png", colours(NYU_SIZE, 2))
    put(root / "official_splits/test/bathroom/sync_depth_00001.png", units(NYU_SIZE, NYU_POINTS))
    return split_list(root / "list.yaml", {"kitchen_0028b": "45, 46"}, {"bathroom": "1"})


def nyuv2_mat(root: Path) -> Path:
    types = ["kitchen", "bathroom", "kitchen"]
    depth = [units(NYU_SIZE, NYU_POINTS).astype(np.float32) / 1000 + np.float32(0.0007) for _ in types]
    depth[0][250, 250] = 5
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w") as mat:
        # MATLAB writes columns first, so h5py sees every axis in reverse.
        mat["images"] = np.stack([colours(NYU_SIZE, seed).transpose(2, 1, 0) for seed in (1, 2, 3)])
        mat["rawDepths"] = np.stack([one.T for one in depth])
        for number, name in enumerate(types):
            mat[f"#refs#/{number}"] = np.array([[ord(letter)] for letter in name], np.uint16)
        mat["sceneTypes"] = np.array([[mat[f"#refs#/{number}"].ref for number in range(3)]], h5py.ref_dtype)
    return split_list(root / "list.yaml", {"unused_0001": "1"}, {"bathroom": "1"})


def kitti_tree(root: Path, part: str = "") -> Path:
    for drive, number in (("2011_09_26_drive_0001", 5), ("2011_09_26_drive_0052", 8)):
        name = f"{number:010d}.png"
        put(root / f"raw/{drive[:10]}/{drive}_sync/image_02/data/{name}", colours(KITTI_SIZE, number))
        depth = root / "annotated" / part / f"{drive}_sync/proj_depth"
        put(depth / "groundtruth/image_02" / name, units(KITTI_SIZE, KITTI_POINTS))
        put(depth / "velodyne_raw/image_02" / name, units(KITTI_SIZE, {(200, 600): 512}))
    return split_list(root / "list.yaml", {"2011_09_26_drive_0001": "5"}, {"2011_09_26_drive_0052": "8"})


@dataclass
class Reader:
    """One row of the contract. Values in metres, at (row, column) of the frame that is scored."""

    dataset: type[DepthDataset]
    tree: Callable[[Path], Path]
    depth_range: tuple[float, float]
    size: tuple[int, int]
    train_ids: list[str]
    test_ids: list[str]
    train_points: dict[tuple[int, int], float]
    test_points: dict[tuple[int, int], float]
    files: dict[str, str] = field(default_factory=dict)
    """One image and one depth file of training frame 0, if frames are files of their own."""


NYU_TEST_POINTS = {(240, 320): 1.5, (100, 100): 0.0, (300, 300): 10.0, (45, 43): 3.21, (44, 43): 3.0, (0, 0): 2.0}
NYU_TRAIN_POINTS = NYU_TEST_POINTS | {(44, 43): 0.0, (0, 0): 0.0, (471, 607): 4.321, (471, 608): 0.0, (472, 607): 0.0}
KITTI_IMAGE = "2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005"
CROPPED_POINTS = {(0, 0): 1.0, (351, 1215): 255.99609375, (177, 587): 100.00390625, (178, 587): 0.0, (1, 0): 7.8125}

READERS = {
    "nyuv2": Reader(
        NYUv2,
        nyuv2_tree,
        (1e-3, 10.0),
        NYU_SIZE,
        ["kitchen_0028b/rgb_00045", "kitchen_0028b/rgb_00046"],
        ["bathroom/rgb_00001"],
        NYU_TRAIN_POINTS,
        NYU_TEST_POINTS,
        {"image": "sync/kitchen_0028b/rgb_00045.jpg", "depth": "sync/kitchen_0028b/sync_depth_00045.png"},
    ),
    "nyuv2_labeled": Reader(
        NYUv2Labeled,
        nyuv2_mat,
        (1e-3, 10.0),
        NYU_SIZE,
        ["kitchen/rgb_00000", "kitchen/rgb_00002"],
        ["bathroom/rgb_00001"],
        NYU_TRAIN_POINTS,
        NYU_TEST_POINTS,
    ),
    "kitti": Reader(
        KITTI,
        kitti_tree,
        (1e-3, 80.0),
        (352, 1216),
        [KITTI_IMAGE],
        ["2011_09_26/2011_09_26_drive_0052_sync/image_02/data/0000000008"],
        CROPPED_POINTS,
        CROPPED_POINTS,
        {
            "image": f"raw/{KITTI_IMAGE}.png",
            "depth": "annotated/2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png",
        },
    ),
}
OF_FILES = [name for name, reader in READERS.items() if reader.files]


def opened(reader: Reader, root: Path, split: str, split_file: Path, size=NETWORK_SIZE, **more: str) -> DepthDataset:
    captions = root / "captions"
    for sample_id in reader.train_ids if split == "train" else reader.test_ids:
        path = captions / split / f"{sample_id}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{sample_id}, sentence {n}.\n" for n in range(15)))
    return reader.dataset(
        name="tiny",
        split=split,
        root=root,
        split_file=split_file,
        captions=CaptionFiles(captions),
        input_size=size,
        depth_range=reader.depth_range,
        **more,
    )


@pytest.fixture(params=READERS)
def reader(request):
    return READERS[request.param]


@pytest.fixture
def train(reader, tmp_path):
    return opened(reader, tmp_path, "train", reader.tree(tmp_path))


@pytest.fixture
def test(reader, tmp_path):
    return opened(reader, tmp_path, "test", reader.tree(tmp_path))


def test_sample_ids(reader, train, tmp_path):
    assert train.sample_ids == reader.train_ids
    assert opened(reader, tmp_path, "test", tmp_path / "list.yaml").sample_ids == reader.test_ids


def test_depth_is_in_metres(reader, train, tmp_path):
    test = opened(reader, tmp_path, "test", tmp_path / "list.yaml")
    for dataset, points in ((train, reader.train_points), (test, reader.test_points)):
        depth = dataset.read_frame(0).depth
        assert depth.shape == reader.size
        assert depth.dtype == np.float32
        assert {point: depth[point] for point in points} == pytest.approx(points, abs=1e-6)


def test_training_sample(reader, train):
    sample = train.training_sample(0, np.random.default_rng(0))
    assert sample.image.shape == (3, *NETWORK_SIZE)
    assert sample.depth.shape == sample.valid.shape == NETWORK_SIZE
    assert 0 <= sample.image.min() <= sample.image.max() <= 1
    assert sample.valid.any()
    assert torch.equal(sample.valid, sample.depth > 0)
    assert sample.sample_id == reader.train_ids[0]
    drawn = {train.training_sample(0, np.random.default_rng(seed)).caption for seed in range(6)}
    assert len(drawn) > 1
    assert all(caption.startswith(f"{sample.sample_id}, sentence") for caption in drawn)


def test_training_uses_the_open_interval_of_depths(reader, tmp_path):
    dataset = opened(reader, tmp_path, "train", reader.tree(tmp_path), size=reader.size)
    sample, depth = dataset.training_sample(0, np.random.default_rng(0)), dataset.read_frame(0).depth
    low, high = reader.depth_range
    inside = (depth > low) & (depth < high)
    assert depth.max() >= high
    np.testing.assert_array_equal(sample.valid, inside)
    np.testing.assert_array_equal(sample.depth, np.where(inside, depth, 0))


def test_evaluation_sample(reader, test):
    sample = test.evaluation_sample(0)
    assert sample.image.shape == (3, *NETWORK_SIZE)
    assert sample.depth.shape == sample.valid.shape == reader.size
    assert torch.equal(sample.valid, sample.depth > 0)
    assert not sample.valid.all()
    assert sample.caption == f"{reader.test_ids[0]}, sentence 0."


def test_a_worker_process_gets_the_same_frame(train):
    copy = pickle.loads(pickle.dumps(train))
    np.testing.assert_array_equal(copy.read_frame(0).image, train.read_frame(0).image)
    np.testing.assert_array_equal(copy.read_frame(0).depth, train.read_frame(0).depth)


def test_a_missing_root_names_the_path_and_the_variable(reader, tmp_path):
    split_file = reader.tree(tmp_path)
    with pytest.raises(UserError, match=rf"no folder {tmp_path}/elsewhere. Set TR2M_DATA"):
        reader.dataset(
            name="tiny",
            split="test",
            root=tmp_path / "elsewhere",
            split_file=split_file,
            captions=CaptionFiles(tmp_path),
            input_size=NETWORK_SIZE,
            depth_range=reader.depth_range,
        )


@pytest.mark.parametrize("reader", [READERS[name] for name in OF_FILES], ids=OF_FILES)
@pytest.mark.parametrize("kind", ["image", "depth"])
class TestFaults:
    def refused(self, dataset: DepthDataset, message: str) -> None:
        with pytest.raises(UserError, match=message):
            dataset.read_frame(0)

    def test_missing(self, reader, kind, train, tmp_path):
        path = tmp_path / reader.files[kind]
        path.unlink()
        self.refused(train, rf"no file {re.escape(str(path))}.*docs/datasets.md")

    def test_truncated(self, reader, kind, train, tmp_path):
        path = tmp_path / reader.files[kind]
        path.write_bytes(path.read_bytes()[:-20])
        self.refused(train, rf"{re.escape(str(path))}: truncated: got \d+ bytes, expected an end marker")

    def test_another_size(self, reader, kind, train, tmp_path):
        path = tmp_path / reader.files[kind]
        small = {"image": colours((60, 80), 0), "depth": units((60, 80), {})}[kind]
        put(path, small)
        self.refused(train, r"got depth of \d+x\d+ \(height x width\), expected \d+x\d+")

    def test_eight_bits(self, reader, kind, train, tmp_path):
        put(tmp_path / reader.files["depth"], units(reader.size, {}).astype(np.uint8))
        self.refused(train, r"got a file of 1 channel\(s\) of uint8, expected depth as one channel of uint16")


def test_nyuv2_image_is_the_jpeg_or_the_png(tmp_path):
    dataset = opened(READERS["nyuv2"], tmp_path, "train", nyuv2_tree(tmp_path))
    assert np.abs(dataset.read_frame(0).image.astype(int) - (200, 100, 40)).max() < 5
    np.testing.assert_array_equal(dataset.read_frame(1).image, colours(NYU_SIZE, 1))


def test_nyuv2_labeled_is_official_splits_before_jpeg(tmp_path):
    labeled = opened(READERS["nyuv2_labeled"], tmp_path, "test", nyuv2_mat(tmp_path))
    frame, image = labeled.read_frame(0), colours(NYU_SIZE, 2)
    inside = np.zeros(NYU_SIZE, bool)
    inside[7:474, 7:632] = True
    np.testing.assert_array_equal(frame.image[inside], image[inside])
    assert not frame.image[~inside].any()
    put(tmp_path / "official_splits/test/bathroom/rgb_00001.png", frame.image)
    put(tmp_path / "official_splits/test/bathroom/sync_depth_00001.png", units(NYU_SIZE, NYU_POINTS))
    unpacked = opened(READERS["nyuv2"], tmp_path, "test", tmp_path / "list.yaml")
    assert unpacked.sample_ids == labeled.sample_ids
    np.testing.assert_array_equal(unpacked.read_frame(0).image, frame.image)
    np.testing.assert_array_equal(unpacked.read_frame(0).depth, frame.depth)


def test_nyuv2_labeled_refuses_another_file(tmp_path):
    reader, split_file = READERS["nyuv2_labeled"], nyuv2_mat(tmp_path)
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    with pytest.raises(UserError, match="got split 'val', expected train or test"):
        opened(reader, tmp_path, "val", split_file)
    other = split_list(tmp_path / "other.yaml", {}, {"bathroom": "0", "study": "7"})
    with pytest.raises(UserError, match=r"got 3 frames, .* but 2 of them .*, the first: bathroom 0"):
        opened(reader, tmp_path, "test", other)
    dataset = opened(reader, tmp_path, "test", split_file)
    with h5py.File(path, "a") as mat:
        del mat["rawDepths"]
    with pytest.raises(UserError, match=rf"{path}: got: .*rawDepths.*; expected the labelled file"):
        dataset.read_frame(0)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=rf"{path}: got: .*truncated.*; expected the labelled file"):
        opened(reader, tmp_path, "test", split_file)
    path.unlink()
    with pytest.raises(UserError, match=rf"{path}: got: .*No such file.*; expected the labelled file"):
        opened(reader, tmp_path, "test", split_file)


@pytest.mark.parametrize("part", ["", "train", "val"])
def test_kitti_finds_annotated_depth_merged_or_as_unpacked(tmp_path, part):
    dataset = opened(READERS["kitti"], tmp_path, "test", kitti_tree(tmp_path, part))
    assert dataset.read_frame(0).depth[0, 0] == 1


def test_kitti_crops_image_and_depth_alike(tmp_path):
    dataset = opened(READERS["kitti"], tmp_path, "train", kitti_tree(tmp_path))
    frame = dataset.read_frame(0)
    np.testing.assert_array_equal(frame.image, colours(KITTI_SIZE, 5)[23:375, 13:1229])
    np.testing.assert_array_equal(frame.depth * 256, units(KITTI_SIZE, KITTI_POINTS)[23:375, 13:1229])


def test_kitti_reads_single_scans_when_asked(tmp_path):
    split_file = kitti_tree(tmp_path)
    dataset = opened(READERS["kitti"], tmp_path, "train", split_file, ground_truth="velodyne_raw")
    assert dataset.read_frame(0).depth[177, 587] == 2
    with pytest.raises(UserError, match="got ground_truth 'lidar', expected groundtruth or velodyne_raw"):
        opened(READERS["kitti"], tmp_path, "train", split_file, ground_truth="lidar")


def test_kitti_refuses_frames_smaller_than_the_crop(tmp_path):
    reader = READERS["kitti"]
    dataset = opened(reader, tmp_path, "train", kitti_tree(tmp_path))
    put(tmp_path / reader.files["image"], colours((375, 1215), 0))
    put(tmp_path / reader.files["depth"], units((375, 1215), {}))
    with pytest.raises(UserError, match="got a frame of 375x1215, expected at least 352x1216"):
        dataset.read_frame(0)
