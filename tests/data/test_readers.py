"""The contract of every reader of files, on a tiny tree in the true names and encodings of its data set."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from PIL import Image
from readers import NETWORK_SIZE, READERS, opened

from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError

OF_FILES = [name for name, reader in READERS.items() if reader.files]
ORIENTATION = Image.Exif()
ORIENTATION[274] = 3
"""Upside down."""
COUNTED = [name for name, reader in READERS.items() if reader.missing]


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> dict[str, Path]:
    """Trees that tests only read, made when first asked for."""
    return Trees(tmp_path_factory)


class Trees(dict):
    def __init__(self, factory: pytest.TempPathFactory) -> None:
        super().__init__()
        self.factory = factory

    def __missing__(self, name: str) -> Path:
        self[name] = self.factory.mktemp(name)
        READERS[name].tree(self[name])
        return self[name]


@pytest.fixture(params=READERS)
def name(request) -> str:
    return request.param


def test_sample_ids_and_depth_in_the_unit_of_the_data_set(name, shared):
    for split, content in READERS[name].splits.items():
        dataset = opened(name, shared[name], split)
        assert dataset.sample_ids == content.ids
        frame = dataset.read_frame(0)
        assert frame.depth.shape == frame.image.shape[:2] == READERS[name].size
        assert frame.depth.dtype == np.float32
        assert {point: frame.depth[point] for point in content.points} == pytest.approx(content.points, abs=1e-6)
        assert np.isfinite(frame.depth).all()


def test_training_sample(name, shared):
    dataset = opened(name, shared[name])
    sample = dataset.training_sample(0, np.random.default_rng(0))
    assert sample.image.shape == (3, *NETWORK_SIZE)
    assert sample.depth.shape == sample.valid.shape == NETWORK_SIZE
    assert sample.image.dtype == torch.uint8
    assert sample.valid.any()
    assert torch.equal(sample.valid, sample.depth > 0)
    assert sample.sample_id == dataset.sample_ids[0]
    drawn = {dataset.training_sample(0, np.random.default_rng(seed)).caption for seed in range(6)}
    assert len(drawn) > 1
    assert all(caption.startswith(f"{sample.sample_id}, sentence") for caption in drawn)


def test_training_uses_the_open_interval_of_depths(name, shared):
    low, high = 0.003, READERS[name].depth_range[1] / 2
    dataset = opened(name, shared[name], input_size=READERS[name].size, depth_range=(low, high))
    sample, depth = dataset.training_sample(0, np.random.default_rng(0)), dataset.read_frame(0).depth
    inside = (depth > low) & (depth < high)
    np.testing.assert_array_equal(sample.valid, inside)
    np.testing.assert_array_equal(sample.depth, np.where(inside, depth, 0))


def test_evaluation_sample(name, shared):
    split = list(READERS[name].splits)[-1]
    sample = opened(name, shared[name], split).evaluation_sample(0)
    assert sample.image.shape == (3, *NETWORK_SIZE)
    assert sample.depth.shape == sample.valid.shape == READERS[name].size
    assert torch.equal(sample.valid, sample.depth > 0)
    assert not sample.valid.all()
    assert sample.caption == f"{READERS[name].splits[split].ids[0]}, sentence 0."


def test_a_worker_process_gets_the_same_frame(name, shared):
    dataset = opened(name, shared[name])
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy.read_frame(0).image, dataset.read_frame(0).image)
    np.testing.assert_array_equal(copy.read_frame(0).depth, dataset.read_frame(0).depth)


def test_options_that_change_numbers_stand_in_the_result(name, shared):
    described = opened(name, shared[name]).conditions()
    assert READERS[name].options.items() <= described.items()
    assert described["count"] == len(READERS[name].splits[described["split"]].ids)


def test_a_missing_root_names_the_path_and_the_variable(name, shared):
    with pytest.raises(UserError, match=rf"no folder {shared[name]}/elsewhere. Set TR2M_DATA"):
        opened(name, shared[name], root=shared[name] / "elsewhere")


@pytest.mark.parametrize("name", COUNTED)
def test_a_frame_that_is_gone_when_the_data_set_is_opened(name, tmp_path):
    READERS[name].tree(tmp_path)
    (tmp_path / READERS[name].files["image"]).unlink()
    with pytest.raises(UserError, match=READERS[name].missing):
        opened(name, tmp_path)


@pytest.mark.parametrize("kind", ["image", "depth"])
@pytest.mark.parametrize("name", OF_FILES)
class TestFaults:
    """What happens to a file between the opening of the data set and its turn."""

    @pytest.fixture
    def dataset(self, name, tmp_path) -> DepthDataset:
        READERS[name].tree(tmp_path)
        return opened(name, tmp_path)

    def refused(self, dataset: DepthDataset, message: str) -> None:
        with pytest.raises(UserError, match=message):
            dataset.read_frame(0)

    def test_missing(self, dataset, name, kind, tmp_path):
        path = tmp_path / READERS[name].files[kind]
        path.unlink()
        self.refused(
            dataset, rf"no file {re.escape(str(path))}|{re.escape(str(path.parent))}: got 0 {path.suffix} files"
        )

    def test_truncated(self, dataset, name, kind, tmp_path):
        path = tmp_path / READERS[name].files[kind]
        path.write_bytes(path.read_bytes()[:-20])
        self.refused(dataset, rf"{re.escape(str(path))}: (truncated|damaged|expected a .npy file|got: )")

    def test_turned(self, dataset, name, kind, tmp_path):
        path = tmp_path / READERS[name].files[kind]
        if path.suffix not in (".jpg", ".png", ".tiff"):
            pytest.skip("arrays have no orientation")
        Image.open(path).convert("RGB" if kind == "image" else "I;16").save(path, exif=ORIENTATION)
        self.refused(dataset, rf"{re.escape(str(path))}: got the EXIF or TIFF orientation 3, expected 1")

    def test_another_size(self, dataset, name, kind, tmp_path):
        if name == "ibims":
            pytest.skip("image and depth are one file")
        path, size = tmp_path / READERS[name].files[kind], (60, 80)
        trees.put(path, {"image": trees.colours(size, 0), "depth": trees.units(size, {})}[kind])
        self.refused(dataset, r"got depth of \d+x\d+ \(height x width\), expected \d+x\d+|expected 3 channels of")


@pytest.mark.parametrize(
    "name", [name for name in OF_FILES if READERS[name].files["depth"].endswith((".png", ".tiff"))]
)
def test_depth_of_eight_bits_is_refused(name, tmp_path):
    READERS[name].tree(tmp_path)
    dataset = opened(name, tmp_path)
    trees.put(tmp_path / READERS[name].files["depth"], trees.units(READERS[name].size, {}).astype(np.uint8))
    with pytest.raises(
        UserError, match=r"got a file of 1 channel\(s\) of uint8, expected depth as one channel of uint16"
    ):
        dataset.read_frame(0)
