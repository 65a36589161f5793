"""What is special to the readers of NYUv2 and KITTI."""

import h5py
import numpy as np
import pytest
import trees
from readers import READERS, opened

from tr2m.data.readers.kitti import kitti_benchmark_crop
from tr2m.errors import UserError
from tr2m.types import Frame


def test_nyuv2_image_is_the_jpeg_or_the_png(tmp_path):
    trees.nyuv2(tmp_path)
    dataset = opened("nyuv2", tmp_path)
    assert np.abs(dataset.read_frame(0).image.astype(int) - (200, 100, 40)).max() < 5
    np.testing.assert_array_equal(dataset.read_frame(1).image, trees.colours(trees.NYU_SIZE, 1))


def test_nyuv2_labeled_is_official_splits_before_jpeg(tmp_path):
    trees.nyuv2_labeled(tmp_path)
    labeled = opened("nyuv2_labeled", tmp_path, "test")
    frame, image = labeled.read_frame(0), trees.colours(trees.NYU_SIZE, 2)
    inside = np.zeros(trees.NYU_SIZE, bool)
    inside[7:474, 7:632] = True
    np.testing.assert_array_equal(frame.image[inside], image[inside])
    assert not frame.image[~inside].any()
    folder = tmp_path / "official_splits/test/bathroom"
    trees.put(folder / "rgb_00001.png", frame.image)
    # NaN and infinity of the .mat file are pixels without depth.
    depth = trees.units(trees.NYU_SIZE, {**trees.NYU_POINTS, (251, 250): 0, (251, 251): 0})
    trees.put(folder / "sync_depth_00001.png", depth)
    unpacked = opened("nyuv2", tmp_path, "test")
    assert unpacked.sample_ids == labeled.sample_ids
    np.testing.assert_array_equal(unpacked.read_frame(0).image, frame.image)
    np.testing.assert_array_equal(unpacked.read_frame(0).depth, frame.depth)


def test_nyuv2_labeled_refuses_another_file(tmp_path):
    trees.nyuv2_labeled(tmp_path)
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    with pytest.raises(UserError, match="got split 'val', expected train or test"):
        opened("nyuv2_labeled", tmp_path, "val")
    other = trees.split_list(tmp_path / "other.yaml", {}, {"bathroom": "0", "study": "7"})
    with pytest.raises(UserError, match=r"got 3 frames, .* but 2 of them .*, the first: bathroom 0"):
        opened("nyuv2_labeled", tmp_path, "test", split_file=other)
    dataset = opened("nyuv2_labeled", tmp_path, "test")
    with h5py.File(path, "a") as mat:
        del mat["rawDepths"]
    with pytest.raises(UserError, match=rf"{path}: got: .*rawDepths.*; expected the labelled file"):
        dataset.read_frame(0)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=rf"{path}: got: .*truncated.*; expected the labelled file"):
        opened("nyuv2_labeled", tmp_path, "test")
    path.unlink()
    with pytest.raises(UserError, match=rf"no file {path}: expected the labelled file"):
        opened("nyuv2_labeled", tmp_path, "test")


@pytest.mark.parametrize("part", ["", "train", "val"])
def test_kitti_finds_annotated_depth_merged_or_as_unpacked(tmp_path, part):
    trees.kitti(tmp_path, part)
    assert opened("kitti", tmp_path, "test").read_frame(0).depth[0, 0] == 1


def test_kitti_crops_image_and_depth_alike(tmp_path):
    trees.kitti(tmp_path)
    frame = opened("kitti", tmp_path).read_frame(0)
    np.testing.assert_array_equal(frame.image, trees.colours(trees.KITTI_SIZE, 5)[23:375, 13:1229])
    units = trees.units(trees.KITTI_SIZE, trees.KITTI_POINTS)
    np.testing.assert_array_equal(frame.depth * 256, units[23:375, 13:1229])


def test_kitti_is_cropped_left_of_the_middle_where_the_margin_is_odd():
    # The drives of 2011_09_29 have 374x1238 pixels, those of 2011_10_03 376x1241.
    columns = np.tile(np.arange(1241, dtype=np.float32), (376, 1))
    cropped = kitti_benchmark_crop(Frame(np.zeros((376, 1241, 3), np.uint8), columns))
    assert (cropped.depth[0, 0], cropped.depth[0, -1], cropped.depth.shape) == (12, 1227, (352, 1216))


def test_kitti_reads_single_scans_when_asked(tmp_path):
    trees.kitti(tmp_path)
    assert opened("kitti", tmp_path, ground_truth="velodyne_raw").read_frame(0).depth[177, 587] == 2
    with pytest.raises(UserError, match="got ground_truth 'lidar', expected groundtruth or velodyne_raw"):
        opened("kitti", tmp_path, ground_truth="lidar")


def test_kitti_refuses_frames_smaller_than_the_crop(tmp_path):
    trees.kitti(tmp_path)
    files = READERS["kitti"].files
    trees.put(tmp_path / files["image"], trees.colours((375, 1215), 0))
    trees.put(tmp_path / files["depth"], trees.units((375, 1215), {}))
    with pytest.raises(UserError, match="got a frame of 375x1215, expected at least 352x1216"):
        opened("kitti", tmp_path).read_frame(0)
