"""`protocol=released` on real frames, against arithmetic written out with PIL and numpy."""

import os
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
import trees
import yaml
from PIL import Image

from tr2m.build import build
from tr2m.data.depth_dataset import DepthDataset
from tr2m.evaluation.protocol import Protocol

pytestmark = pytest.mark.skipif("TR2M_SAMPLES" not in os.environ, reason="TR2M_SAMPLES names no folder of real frames")
SAMPLES = Path(os.environ.get("TR2M_SAMPLES", ""))


def released(name: str, **changes: object) -> tuple[DepthDataset, Protocol]:
    """Reader and protocol of a data set, as `protocol=released` has them, on the sample frames."""
    settings = tiny.config(f"dataset={name}", name="eval")["dataset"]
    protocol = settings["protocols"]["released"]
    reader = settings["reader"] | protocol.pop("reader") | changes
    return build(reader, split=settings["eval_split"]), build(protocol, name="released")


def abs_rel_of(constant: float, depth: np.ndarray, low: float, high: float) -> float:
    counts = depth[(depth > low) & (depth < high)].astype(np.float64)
    return float(np.mean(np.abs(counts - constant) / counts))


def score(dataset: DepthDataset, protocol: Protocol, index: int, constant: float) -> float:
    sample = dataset.evaluation_sample(index)
    metrics = protocol.score(torch.full((31, 40), constant), sample.depth, sample.valid)
    assert metrics is not None
    return metrics["abs_rel"]


def split_file(tmp_path: Path, members: dict[str, str]) -> str:
    frames = sum(terms.count(",") + 1 for terms in members.values())
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump({"test": {"groups": len(members), "frames": frames, "members": members}}))
    return str(path)


def test_nyuv2(tmp_path: Path):
    captions = {"_target_": "tr2m.data.captions.files.CaptionFiles", "root": str(SAMPLES / "captions/nyu")}
    dataset, protocol = released(
        "nyuv2",
        root=str(SAMPLES / "nyuv2"),
        captions=captions,
        split_file=split_file(tmp_path, {"bedroom": "77"}),
    )
    path = SAMPLES / "nyuv2/official_splits/test/bedroom/sync_depth_00077.png"
    depth = np.asarray(Image.open(path), dtype=np.float64) / 1000
    assert score(dataset, protocol, 0, 2.0) == pytest.approx(abs_rel_of(2.0, depth[45:471, 41:601], 1e-3, 10), rel=1e-5)


def test_kitti(tmp_path: Path):
    drive = "2011_09_26_drive_0052"
    captions = {"_target_": "tr2m.data.captions.files.CaptionFiles", "root": str(SAMPLES / "captions/kitti")}
    dataset, protocol = released(
        "kitti",
        root=str(SAMPLES / "kitti"),
        captions=captions,
        ground_truth="velodyne_raw",
        split_file=split_file(tmp_path, {drive: "8"}),
    )
    path = SAMPLES / f"kitti/annotated/{drive}_sync/proj_depth/velodyne_raw/image_02/0000000008.png"
    depth = np.asarray(Image.open(path), dtype=np.float64) / 256
    height, width = depth.shape
    left = int((width - 1216) / 2)
    crop = depth[height - 352 : height, left : left + 1216]
    # Garg's shares of 352x1216.
    assert score(dataset, protocol, 0, 9.0) == pytest.approx(
        abs_rel_of(9.0, crop[143:349, 43:1172], 1e-3, 80), rel=1e-5
    )


def test_simcol(tmp_path: Path):
    path = next((SAMPLES / "simcol").rglob("Depth_*.png"))
    number, folder = path.stem.removeprefix("Depth_"), path.parent
    tree = tmp_path / "simcol/SyntheticColon_I/Frames_S5"
    tree.mkdir(parents=True)
    for kind in ("Depth", "FrameBuffer"):
        (tree / f"{kind}_{number}.png").write_bytes((folder / f"{kind}_{number}.png").read_bytes())
    frames = split_file(tmp_path, {"SyntheticColon_I/Frames_S5": str(int(number))})
    dataset, protocol = released("simcol", root=str(tmp_path / "simcol"), split_file=frames)
    depth = np.asarray(Image.open(path), dtype=np.float64) * 200 / (255 * 256)
    assert score(dataset, protocol, 0, 40.0) == pytest.approx(abs_rel_of(40.0, depth, 0.1, 100), rel=1e-5)
    image = dataset.evaluation_sample(0).image
    pixels = Image.fromarray(np.asarray(dataset.read_frame(0).image)).resize((640, 480), Image.BILINEAR)
    assert image[:, 0, 0].tolist() == pytest.approx((np.asarray(pixels)[0, 0] / 255).tolist(), abs=1e-6)


def test_sunrgbd(tmp_path: Path):
    folders = ["kv1/b3dodata/img_0063", "kv2/align_kv2/2014-12-18_11-31-54_260595134347"]
    (tmp_path / "SUNRGBD").symlink_to(SAMPLES / "sunrgbd/SUNRGBD")
    trees.allsplit(tmp_path, folders)
    frames = trees.split_counts(tmp_path / "list.yaml", "test", {folder.rpartition("/")[0]: 1 for folder in folders})
    captions = {"_target_": "tr2m.data.captions.files.ColonCaptions", "sentence": "A room."}
    dataset, protocol = released("sunrgbd", root=str(tmp_path), captions=captions, split_file=str(frames))
    for index, folder in enumerate(folders):
        path = next((SAMPLES / "sunrgbd/SUNRGBD" / folder / "depth").glob("*.png"))
        depth = np.asarray(Image.open(path), dtype=np.float64)[45:471, 41:601] / 10_000
        assert score(dataset, protocol, index, 2.0) == pytest.approx(abs_rel_of(2.0, depth, 1e-3, 8), rel=1e-5)
        assert dataset.evaluation_sample(index).image.shape == (3, 518, 728)
