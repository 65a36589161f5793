"""`protocol=released`: what the authors' evaluation code reads and scores, worked out by hand for each data set."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tiny
import torch
import trees
from PIL import Image
from readers import READERS, captions
from torch.nn import functional
from torchvision.transforms.functional import resize

from tr2m.build import build, read_settings
from tr2m.data.readers.c3vd_releases import find_frames
from tr2m.data.settings import DatasetSettings
from tr2m.data.two_step_resize import TwoStepResize
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import EvaluationSet
from tr2m.experiment.compose import build_evaluation_sets
from tr2m.types import Frame

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
EIGEN = "rows 45:471, columns 41:601"
GARG = "rows 0.40810811-0.99189189 of the height, columns 0.03594771-0.96405229 of the width"
# RELEASED facts: network size, range, region, the size of the scored depth in the tree.
FACTS = {
    "nyuv2": ((434, 560), (0.001, 10.0), EIGEN, trees.NYU_SIZE),
    "kitti": ((350, 1204), (0.001, 80.0), GARG, (352, 1216)),
    "void": ((434, 560), (0.2, 5.0), EIGEN, trees.SMALL),
    "c3vd": ((434, 560), (0.1, 100.0), "whole frame", (480, 640)),
    "sunrgbd": ((518, 728), (0.001, 8.0), EIGEN, trees.SMALL),
    "ibims": ((434, 560), (0.001, 10.0), EIGEN, trees.SMALL),
    "diode": ((434, 560), (0.001, 80.0), GARG, trees.SMALL),
    "hypersim": ((434, 560), (0.001, 80.0), "whole frame", trees.SMALL),
    "simcol": ((434, 560), (0.1, 100.0), "whole frame", trees.SIMCOL_SIZE),
}


def ibims_raw(root: Path) -> None:
    """The PNG release of a tree of three frames."""
    raw, depth = root / "ibims1_core_raw", np.full(trees.SMALL, 2000, np.uint16)
    depth[6, 6] = 65535
    names = ("corridor_01", "corridor_02", "restroom_02")
    for name in names:
        masks = {kind: np.full(trees.SMALL, 255, np.uint8) for kind in ("mask_invalid", "mask_transp")}
        masks["mask_invalid"][10, 20], masks["mask_transp"][11, 20] = 0, 0
        trees.put(raw / f"rgb/{name}.png", trees.plain(trees.SMALL))
        trees.put(raw / f"depth/{name}.png", depth)
        for kind, mask in masks.items():
            trees.put(raw / f"{kind}/{name}.png", mask)
    (raw / "imagelist.txt").write_text("\n".join(names) + "\n")


def released(name: str, root: Path) -> EvaluationSet:
    READERS[name].tree(root)
    if name == "ibims":
        ibims_raw(root)
    settings = tiny.config(f"dataset={name}", name="eval")["dataset"]
    reader, changed = settings["reader"], settings["protocols"]["released"]["reader"]
    reader |= {"root": str(root), "split_file": f"{root}/list.yaml"}
    if name == "c3vd":
        changed |= {"root": str(root), "split_file": f"{root}/list.yaml"}
    if name not in ("c3vd", "simcol"):
        captions(name, root)
        reader["captions"] = {
            "_target_": "tr2m.data.captions.files.CaptionFiles",
            "root": f"{root}/captions",
            "lines_per_file": 15,
        }
    return build_evaluation_sets(read_settings(DatasetSettings, settings), "released")[0]


@pytest.mark.parametrize("name", FACTS)
def test_sizes_range_and_region_are_the_released_ones(name: str, tmp_path: Path):
    size, depth_range, region, depth_size = FACTS[name]
    entry = released(name, tmp_path)
    sample, protocol = entry.dataset.evaluation_sample(0), entry.protocol
    assert (tuple(sample.image.shape[1:]), tuple(sample.depth.shape)) == (size, depth_size)
    assert (protocol.min_depth, protocol.max_depth, protocol.region.description) == (*depth_range, region)
    assert (protocol.flip_tta, protocol.min_pixels) == (False, 1)


def reference(image: np.ndarray, frame_size: Any, picture: bool, size: tuple[int, int]) -> torch.Tensor:
    """Normalise, resize twice: what the networks see, written out."""
    if frame_size and picture:
        image = np.asarray(Image.fromarray(image).resize(frame_size[::-1], Image.BILINEAR))
    tensor = (torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255 - MEAN) / STD
    if frame_size and not picture:
        tensor = resize(tensor, frame_size, antialias=True)
    return functional.interpolate(tensor[None], size, mode="bilinear", align_corners=True)[0]


@pytest.mark.parametrize("first", ["tensor", "picture"])
@pytest.mark.parametrize("frame_size", [None, [48, 64]])
def test_the_networks_see_what_is_resized_after_it_is_normalised(first: str, frame_size: list[int] | None):
    frame = Frame(trees.colours((96, 120), 1), np.ones((96, 120), np.float32))
    image, _, _ = TwoStepResize(frame_size, first)(frame, (28, 42))
    expected = reference(frame.image, frame_size, first == "picture", (28, 42))
    torch.testing.assert_close((image - MEAN) / STD, expected, atol=2e-6, rtol=0)


def test_an_image_that_is_not_normalised_reaches_the_networks_in_unit_range():
    frame = Frame(trees.colours((48, 64), 1), np.ones((48, 64), np.float32))
    image, _, _ = TwoStepResize(normalised=False)(frame, (48, 64))
    expected = torch.from_numpy(frame.image).permute(2, 0, 1) / 255
    torch.testing.assert_close((image - MEAN) / STD, expected, atol=2e-6, rtol=0)


def test_depth_keeps_its_size_or_follows_by_nearest_neighbour():
    depth = np.arange(1, 17, dtype=np.float32).reshape(4, 4)
    frame = Frame(trees.colours((4, 4), 1), depth)
    assert torch.equal(TwoStepResize([2, 2])(frame, (14, 14))[1], torch.from_numpy(depth))
    resized = TwoStepResize([2, 2], "picture", depth_too=True)(frame, (14, 14))[1]
    assert resized.tolist() == [[6.0, 8.0], [14.0, 16.0]]


def test_corners_stay_where_they_are():
    frame = Frame(np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, 2) * 60, np.ones((2, 2), np.float32))
    image = TwoStepResize()(frame, (14, 28))[0] * 255
    corners = [image[0, 0, 0], image[0, 0, -1], image[0, -1, 0], image[0, -1, -1]]
    assert torch.stack(corners).tolist() == pytest.approx([0, 60, 120, 180], abs=1e-3)


def test_only_ibims_is_not_normalised_and_only_c3vd_resizes_its_depth():
    readers = {
        name: tiny.config(f"dataset={name}", name="eval")["dataset"]["protocols"]["released"]["reader"]
        for name in FACTS
    }
    steps = {name: build(reader["resize"]) for name, reader in readers.items()}
    assert [name for name, step in steps.items() if not step.normalised] == ["ibims"]
    assert [name for name, step in steps.items() if step.depth_too] == ["c3vd"]
    assert [name for name, step in steps.items() if step.first == "picture"] == ["c3vd", "simcol"]
    framed = [name for name, step in steps.items() if step.frame_size is not None]
    assert framed == ["c3vd", "diode", "hypersim", "simcol"]
    assert all(list(steps[name].frame_size) == [480, 640] for name in framed)


def test_sentences_of_the_endoscopic_sets(tmp_path: Path):
    tube = released("c3vd", tmp_path / "c3vd").dataset
    assert tube.evaluation_sample(0).caption == (
        "The image shows a medical scene of descending colon with  texture type four."
    )
    assert tube.captions.lines("test", "trans_t2_a/0000") == [
        "The image shows a medical scene of transcending colon with  texture type two."
    ]
    assert released("simcol", tmp_path / "simcol").dataset.evaluation_sample(0).caption == (
        "The image shows a medical scene of a cecum with texture type one."
    )


def test_c3vd_scores_the_undistorted_copy_whole(tmp_path: Path):
    settings = tiny.config("dataset=c3vd", name="eval")["dataset"]["protocols"]["released"]["reader"]
    assert Path(settings["root"]).name == "c3vd_undistorted"
    assert Path(settings["split_file"]).name == "c3vd_released.yaml"
    entry = released("c3vd", tmp_path)
    assert (entry.dataset.crop, entry.dataset.mask_corners) == (None, False)
    # In the black corner, outside of the crop: 2000 units of 100 / 65535 mm, at nearly half the size.
    assert entry.dataset.evaluation_sample(0).depth[2, 2].item() == pytest.approx(2000 * 100 / 65535)


def test_void_has_metres_times_256(tmp_path: Path):
    depth = released("void", tmp_path).dataset.evaluation_sample(0).depth
    assert [depth[10, 20].item(), depth[5, 5].item(), depth[50, 50].item()] == [5.0, 257 / 256, 2.0]


def test_hypersim_sees_the_authors_jpeg_and_scores_depth_along_the_axis(tmp_path: Path):
    sample = released("hypersim", tmp_path).dataset.evaluation_sample(0)
    # The tree's previews are plain, its renderings grey.
    expected = torch.tensor(trees.plain((1, 1))[0, 0] / 255, dtype=torch.float32)
    torch.testing.assert_close(sample.image.mean(dim=(1, 2)), expected, atol=0.02, rtol=0)
    # A distance of 4 m half a pixel from the axis, and in the first row's second pixel, at focal length 886.81 px.
    assert sample.depth[48, 64].item() == pytest.approx(4 * 886.81 / (886.81**2 + 0.5**2 + 0.5**2) ** 0.5)
    assert sample.depth[0, 1].item() == pytest.approx(4 * 886.81 / (886.81**2 + 47.5**2 + 62.5**2) ** 0.5)


def test_sun_rgbd_shrinks_to_a_tenth_of_a_thousandth(tmp_path: Path):
    # 1000 mm rotated left by 3 bits is 8000, and 8000 / 10,000 is 0.8.
    assert released("sunrgbd", tmp_path).dataset.evaluation_sample(0).depth[10, 20] == pytest.approx(0.8)


def test_ibims_reads_the_png_release_and_both_masks(tmp_path: Path):
    depth = released("ibims", tmp_path).dataset.evaluation_sample(0).depth
    assert depth[0, 0].item() == pytest.approx(2000 * 50 / 65535, rel=1e-6)
    assert [depth[6, 6].item(), depth[10, 20].item(), depth[11, 20].item()] == [50.0, 0.0, 0.0]


def test_diode_ignores_its_mask(tmp_path: Path):
    depth = released("diode", tmp_path).dataset.evaluation_sample(0).depth
    mask = np.load(next(tmp_path.rglob("*_depth_mask.npy"))).squeeze()
    assert (depth[torch.from_numpy(mask == 0)] > 0).any()


def test_hypersim_scores_every_preview_there_is(tmp_path: Path):
    entry = released("hypersim", tmp_path)
    assert entry.dataset.sample_ids == ["ai_001_010/cam_00/0000", "ai_001_010/cam_00/0012", "ai_003_007/cam_01/0003"]
    (tmp_path / "metadata_images_split_scene_v1.csv").unlink()
    source = tmp_path / "ai_003_007/images/scene_cam_01_final_preview/frame.0003.tonemap.jpg"
    source.with_name("frame.0009.tonemap.jpg").write_bytes(source.read_bytes())
    assert released_again(tmp_path)[-1] == "ai_003_007/cam_01/0009"
    for path in tmp_path.rglob("*.tonemap.jpg"):
        path.unlink()
    with pytest.raises(UserError, match=r"no file \*/images/scene_"):
        released_again(tmp_path)


def released_again(root: Path) -> list[str]:
    """Sample ids of a HyperSim tree as it lies there."""
    settings = tiny.config("dataset=hypersim", name="eval")["dataset"]
    options = {"name": "tiny", "split": "test", "captions": captions("hypersim", root), "root": root}
    reader = READERS["hypersim"].dataset
    released = {key: settings["protocols"]["released"]["reader"][key] for key in ("image", "every_preview")}
    return reader(
        **options, **released, split_file=root / "list.yaml", input_size=(28, 70), depth_range=(0.001, 80.0)
    ).sample_ids


def test_the_two_halves_of_a_video_in_the_undistorted_copy(tmp_path: Path):
    for folder, number in (("desc_t4_a_p1_under_review", 73), ("desc_t4_a_p2_under_review", 74)):
        (tmp_path / folder).mkdir()
        for name in (f"{number}_color.png", f"{number:04d}_depth.tiff"):
            cv2.imwrite(str(tmp_path / folder / name), np.zeros((4, 4), np.uint8))
    frames = find_frames(tmp_path, "desc_t4_a")
    assert {number: paths[0].parent.name[10:12] for number, paths in frames.items()} == {73: "p1", 74: "p2"}
    (tmp_path / "desc_t4_a").mkdir()
    with pytest.raises(UserError, match=r"got desc_t4_a as .*, expected one"):
        find_frames(tmp_path, "desc_t4_a")
