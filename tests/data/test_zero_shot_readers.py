"""What is special to the readers of VOID, C3VD and the zero-shot data sets."""

import re

import h5py
import numpy as np
import pytest
import trees
from readers import opened
from scipy.io import savemat

from tr2m.data.readers.c3vd import black_corners
from tr2m.data.readers.hypersim_files import planar_depth, read_dataset, tone_map
from tr2m.data.readers.sunrgbd import metres
from tr2m.errors import UserError


def test_void_refuses_a_line_that_is_no_image_and_a_list_of_another_length(tmp_path):
    trees.void(tmp_path)
    listed = tmp_path / "void_release/void_1500/train_image.txt"
    lines = listed.read_text().splitlines()
    listed.write_text(lines[0])
    with pytest.raises(UserError, match=r"expected 1 groups with 2 frames, .* found 1 groups with 1 frames"):
        opened("void", tmp_path)
    listed.write_text("\n".join([lines[0], "void_1500/data/stairs0/sparse_depth/1.png"]))
    with pytest.raises(UserError, match=rf"{listed}, line 2: got .*sparse_depth"):
        opened("void", tmp_path)
    listed.unlink()
    with pytest.raises(UserError, match=rf"no file {listed}: expected a list of images"):
        opened("void", tmp_path)


def test_void_trains_on_no_sequence_of_the_test_split(tmp_path):
    trees.void(tmp_path)
    listed = tmp_path / "void_release/void_1500/train_image.txt"
    listed.write_text(
        listed.read_text().replace("3818", "9999").replace("stairs0/image/1552097950.9", "desktop2/image/9")
    )
    with pytest.raises(UserError, match=r"expected 1 groups with 2 frames, .* found 1 groups with 1 frames"):
        opened("void", tmp_path)


def test_c3vd_is_the_same_video_in_both_releases(tmp_path):
    trees.c3vd(tmp_path)
    first = opened("c3vd", tmp_path)
    frames = [first.read_frame(index) for index in (0, 1)]
    old, new = tmp_path / "cecum_t1_a_under_review", tmp_path / "c0_cecum_t1_v1"
    for number in (0, 10):
        for path, renamed in (
            (old / f"{number}_color.png", new / f"rgb/{number:04d}.png"),
            (old / f"{number:04d}_depth.tiff", new / f"depth/{number:04d}_depth.tiff"),
        ):
            renamed.parent.mkdir(parents=True, exist_ok=True)
            path.rename(renamed)
    with pytest.raises(UserError, match=r"got cecum_t1_a as .*under_review and .*c0_cecum_t1_v1, expected one"):
        opened("c3vd", tmp_path)
    old.rmdir()
    second = opened("c3vd", tmp_path)
    assert second.sample_ids == first.sample_ids
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(second.read_frame(index).image, frame.image)
        np.testing.assert_array_equal(second.read_frame(index).depth, frame.depth)


def test_c3vd_crops_image_and_depth_alike_or_not_at_all(tmp_path):
    trees.c3vd(tmp_path)
    whole = opened("c3vd", tmp_path, crop=None, mask_corners=False).read_frame(0)
    cropped = opened("c3vd", tmp_path).read_frame(0)
    assert whole.image.shape[:2] == trees.C3VD_SIZE
    np.testing.assert_array_equal(cropped.image, whole.image[180:900, 200:1150])
    np.testing.assert_array_equal(cropped.depth, whole.depth[180:900, 200:1150])
    for crop in ([180, 1100, 200, 1150], [180, 900, 200, 1400], [900, 180, 200, 1150], [180, 900, 200, 200]):
        with pytest.raises(UserError, match=re.escape(f"of which crop={crop} is no part")):
            opened("c3vd", tmp_path, crop=crop).read_frame(0)
    everything = opened("c3vd", tmp_path, crop=[0, trees.C3VD_SIZE[0], 0, trees.C3VD_SIZE[1]], mask_corners=False)
    np.testing.assert_array_equal(everything.read_frame(0).depth, whole.depth)


def test_c3vd_has_no_depth_in_the_black_corners(tmp_path):
    trees.c3vd(tmp_path)
    masked = opened("c3vd", tmp_path, crop=None).read_frame(0)
    whole = opened("c3vd", tmp_path, crop=None, mask_corners=False).read_frame(0)
    row, column = np.ogrid[:1080, :1350]
    # The disc that the tree drew, but for its rim.
    distance = np.hypot(row - 540, column - 675)
    assert not masked.depth[distance > 642].any()
    np.testing.assert_array_equal(masked.depth[distance < 638], whole.depth[distance < 638])
    dark_spot = masked.depth[400:420, 500:520]
    assert (dark_spot > 0).all()
    assert not black_corners(np.full((8, 9, 3), 200, np.uint8)).any()


def test_sunrgbd_decodes(tmp_path):
    # A raw value of 16000 is 2 m rotated, 1.6 m by one shortcut, 16 m by the other; 9.87 m wraps around.
    raw = np.array([[16000, 0, trees.rotated(np.uint16([9870]))[0]]], np.uint16)
    assert metres(raw, "bitrotate")[0] == pytest.approx([2.0, 0.0, 9.87])
    assert metres(raw[:, :2], "div10000")[0] == pytest.approx([1.6, 0.0])
    assert metres(raw[:, :2], "div1000")[0] == pytest.approx([16.0, 0.0])
    # By hand: 9870 * 8 = 78960 is 13424 beyond 16 bits, whose lowest bit is the one pushed out: 13425 / 10000.
    assert metres(raw[:, 2:], "div10000")[0] == pytest.approx([1.3425])
    trees.sunrgbd(tmp_path)
    assert opened("sunrgbd", tmp_path, depth_decode="div10000").read_frame(0).depth[1, 1] == pytest.approx(1.6)


def test_sunrgbd_with_the_holes_filled_in(tmp_path):
    trees.sunrgbd(tmp_path)
    dataset = opened("sunrgbd", tmp_path, depth_folder="depth_bfx")
    assert dataset.conditions()["depth_folder"] == "depth_bfx"
    assert (dataset.read_frame(0).depth == 2).all()
    assert opened("sunrgbd", tmp_path).read_frame(0).depth[0, 0] == 0


def test_sunrgbd_without_nyu_and_with_a_list_of_another_length(tmp_path):
    trees.sunrgbd(tmp_path)
    assert opened("sunrgbd", tmp_path, exclude_nyu=True).sample_ids == list(trees.SUN_FOLDERS)[1:]
    trees.allsplit(tmp_path, list(trees.SUN_FOLDERS)[:2])
    with pytest.raises(
        UserError, match=r"found 2 groups with 2 frames; the first that differ: xtion/sun3ddata \(0 of 1\)"
    ):
        opened("sunrgbd", tmp_path)
    path = tmp_path / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=rf"{path}: got: .*; expected allsplit.mat"):
        opened("sunrgbd", tmp_path)


def test_sunrgbd_frame_folder_with_two_images(tmp_path):
    trees.sunrgbd(tmp_path)
    trees.put(tmp_path / "SUNRGBD/kv1/NYUdata/NYU0001/image/other.jpg", trees.plain(trees.SMALL))
    with pytest.raises(UserError, match=r"NYU0001/image: got 2 .jpg files, expected one"):
        opened("sunrgbd", tmp_path).read_frame(0)


def test_hypersim_distance_becomes_depth():
    distance = np.ones((768, 1024), np.float16)
    depth = planar_depth(distance)
    assert depth[[383, 384], [511, 512]] == pytest.approx([1.0, 1.0], abs=1e-6)
    # By hand: 511.5 columns and 383.5 rows from the centre, 886.81 / sqrt(886.81**2 + 511.5**2 + 383.5**2).
    assert depth[0, 0] == depth[-1, -1] == pytest.approx(0.811189, abs=1e-6)


def test_hypersim_file_that_claims_more_than_a_picture(tmp_path):
    path = tmp_path / "frame.depth_meters.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("dataset", shape=(20_000, 20_000), dtype="f4")
    assert path.stat().st_size < 2000
    with pytest.raises(UserError, match=rf"{path}: got: an array of \(20000, 20000\); expected .* 100 megapixels"):
        read_dataset(path, 2)


def test_hypersim_exposure():
    rng = np.random.default_rng(0)
    color = rng.exponential(3, (50, 60, 3)).astype(np.float32)
    entity = np.ones((50, 60), np.int32)
    entity[:10] = -1
    color[:10] = 1000
    brightness = tone_map(color, entity)[10:].astype(float)
    grey = np.full((50, 60, 3), 7, np.float32)
    # A grey wall is at its own 90th percentile: 0.8 after gamma.
    assert (tone_map(grey, entity) == round(0.8 * 255)).all()
    linear = (brightness / 255) ** 2.2 @ [0.3, 0.59, 0.11]
    share = (color[10:] @ [0.3, 0.59, 0.11]) < np.percentile(color[10:] @ [0.3, 0.59, 0.11], 50)
    assert linear[share].max() < 0.8**2.2
    assert not tone_map(grey * 1e-6, entity).any()
    assert tone_map(grey, np.full((50, 60), -1)).max() == 255


def test_hypersim_exposes_by_what_was_rendered():
    # By hand: 11 values 0, 1 ... 10, the 90th percentile is 9; 0.8**2.2 at brightness 9.
    color = np.arange(11, dtype=np.float32).repeat(3).reshape(1, 11, 3)
    entity = np.ones((1, 11), np.int32)
    expected = [round(255 * min(1, 0.8 * (value / 9) ** (1 / 2.2))) for value in range(11)]
    assert tone_map(color, entity)[0, :, 0].tolist() == expected
    failed = np.full((1, 14, 3), [np.nan], np.float32)
    failed[:, :11], failed[0, 11], failed[0, 12] = color, np.inf, -np.inf
    result = tone_map(failed, np.ones((1, 14), np.int32))[0]
    assert result[:, 1].tolist() == [*expected, 255, 0, 0]
    failed[0, 13, 0], failed[0, 13, 1:] = np.nan, 9
    assert tone_map(failed, np.ones((1, 14), np.int32))[0, 13].tolist() == [0, 204, 204]


def test_hypersim_frame_that_was_not_rendered(tmp_path):
    trees.hypersim(tmp_path)
    path = next(tmp_path.rglob("*.color.hdf5"))
    trees.put(path, np.full((*trees.SMALL, 3), np.nan, np.float16))
    with pytest.raises(UserError, match=rf"{path}: got no finite value, expected radiance"):
        [opened("hypersim", tmp_path).read_frame(index) for index in range(3)]


def test_hypersim_preview_and_first_resize(tmp_path):
    trees.hypersim(tmp_path)
    frame = opened("hypersim", tmp_path, image="preview", image_size=[48, 80]).read_frame(0)
    assert frame.image.shape == (48, 80, 3)
    assert np.abs(frame.image.astype(int) - (200, 100, 40)).max() < 5
    assert frame.depth.shape == trees.SMALL
    assert opened("hypersim", tmp_path, image_size=[48, 80]).evaluation_sample(0).depth.shape == trees.SMALL


def test_hypersim_without_depth_where_there_is_no_geometry(tmp_path):
    trees.hypersim(tmp_path)
    whole, masked = (opened("hypersim", tmp_path, mask_without_entity=mask) for mask in (False, True))
    # The tree has entities from row 8 on.
    assert whole.read_frame(0).depth[:8, 3:].all()
    assert not masked.read_frame(0).depth[:8].any()
    np.testing.assert_array_equal(masked.read_frame(0).depth[8:], whole.read_frame(0).depth[8:])
    assert masked.conditions()["mask_without_entity"]
    preview = opened("hypersim", tmp_path, mask_without_entity=True, image="preview").read_frame(0)
    np.testing.assert_array_equal(preview.depth, masked.read_frame(0).depth)
    trees.put(next(tmp_path.rglob("frame.0000.render_entity_id.hdf5")), np.ones((48, 64), np.int32))
    with pytest.raises(UserError, match="got depth of 96x128"):
        opened("hypersim", tmp_path, mask_without_entity=True, image="preview").read_frame(0)


def test_hypersim_list_of_another_length_or_kind(tmp_path):
    trees.hypersim(tmp_path)
    listed = tmp_path / "metadata_images_split_scene_v1.csv"
    text = listed.read_text()
    listed.write_text(text.replace("ai_003_007,cam_01,3,True", "ai_003_007,cam_01,3,False"))
    with pytest.raises(UserError, match=r"expected 2 groups with 3 frames, .* differ: ai_003_007 \(0 of 1\)"):
        opened("hypersim", tmp_path)
    listed.write_text(text.replace("broken,test", '"broken,test'))
    with pytest.raises(UserError, match="expected the authors' list as published, got"):
        opened("hypersim", tmp_path)
    listed.write_text(text.replace("split_partition_name", "split"))
    with pytest.raises(UserError, match=rf"{listed}, line 2: expected the authors' list .*split_partition_name"):
        opened("hypersim", tmp_path)


def test_diode_with_and_without_its_mask(tmp_path):
    trees.diode(tmp_path)
    masked = opened("diode", tmp_path).read_frame(0).depth
    whole = opened("diode", tmp_path, use_mask=False).read_frame(0).depth
    assert (masked[10, 20], whole[10, 20]) == (0, 7)
    assert (masked != whole).sum() == 1


def test_diode_image_is_first_resized_but_not_its_depth(tmp_path):
    trees.diode(tmp_path)
    whole = opened("diode", tmp_path).read_frame(0)
    dataset = opened("diode", tmp_path, image_size=[48, 64])
    frame = dataset.read_frame(0)
    assert frame.image.shape == (48, 64, 3)
    np.testing.assert_array_equal(frame.depth, whole.depth)
    assert dataset.conditions()["image_size"] == [48, 64]


def test_diode_arrays_of_another_kind(tmp_path):
    trees.diode(tmp_path)
    dataset = opened("diode", tmp_path)
    depth = next(tmp_path.rglob("*_00193_*_depth.npy"))
    np.save(depth, np.array([{"depth": 1}], object), allow_pickle=True)
    with pytest.raises(UserError, match=rf"{depth}: expected a .npy file of numbers, got: .*Python objects"):
        dataset.read_frame(0)
    np.save(depth, np.ones((3, 4, 5), np.float32))
    with pytest.raises(UserError, match=r"got an array of \(3, 4, 5\), expected depth"):
        dataset.read_frame(0)
    np.save(depth, np.ones(trees.SMALL, bool))
    with pytest.raises(UserError, match="got a mask"):
        dataset.read_frame(0)


def test_diode_mask_of_true_and_false(tmp_path):
    trees.diode(tmp_path)
    dataset, path = opened("diode", tmp_path), next(tmp_path.rglob("*_00193_*_depth_mask.npy"))
    before = dataset.read_frame(0).depth
    np.save(path, np.load(path) > 0)
    np.testing.assert_array_equal(dataset.read_frame(0).depth, before)


@pytest.mark.parametrize(("kind", "one"), [(np.uint8, 1), (np.uint8, 16), (np.uint8, 255), (bool, True), (float, 1)])
def test_ibims_masks_of_any_type(tmp_path, kind, one):
    # 16 * 16 is 0 in eight bits.
    invalid, transparent = (np.full(trees.SMALL, one, kind) for _ in range(2))
    invalid[1, 1], transparent[2, 2] = 0, 0
    data = {"rgb": trees.colours(trees.SMALL, 0), "depth": np.full(trees.SMALL, 3.0)}
    trees.ibims(tmp_path)
    masks = {"mask_invalid": invalid, "mask_transp": transparent}
    savemat(tmp_path / "ibims1_core_mat/corridor_01.mat", {"data": {**data, **masks}})
    depth = opened("ibims", tmp_path).read_frame(0).depth
    assert (depth[1, 1], depth[2, 2], depth[3, 3]) == (0, 0, 3)
    assert (depth == 0).sum() == 2


def test_ibims_of_the_other_release(tmp_path):
    trees.ibims(tmp_path)
    (tmp_path / "ibims1_core_mat").rename(tmp_path / "ibims1_core_raw")
    with pytest.raises(UserError, match=r"ibims1_core_raw: got the release in PNG files, .* Fetch ibims1_core_mat.zip"):
        opened("ibims", tmp_path)


def test_ibims_file_without_a_mask(tmp_path):
    trees.ibims(tmp_path)
    path = tmp_path / "ibims1_core_mat/corridor_01.mat"
    savemat(path, {"data": {"rgb": trees.colours(trees.SMALL, 0), "depth": np.ones(trees.SMALL)}})
    with pytest.raises(UserError, match=rf"{path}: got: .*mask_invalid.*; expected a file of ibims1_core_mat.zip"):
        opened("ibims", tmp_path).read_frame(0)


def test_simcol_image_keeps_the_high_byte_and_drops_alpha(tmp_path):
    trees.simcol(tmp_path)
    frame = opened("simcol", tmp_path).read_frame(0)
    assert (frame.image == (200, 100, 40)).all()
