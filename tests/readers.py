"""What the contract of readers holds every data set to. To add a reader: write its tree in trees.py and a row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trees

from tr2m.data.captions.files import CaptionFiles
from tr2m.data.captions.packed import CaptionWriter
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.readers.c3vd import C3VD
from tr2m.data.readers.diode import DIODEOutdoor
from tr2m.data.readers.folder import Folder
from tr2m.data.readers.hypersim import HyperSim
from tr2m.data.readers.ibims import IBims
from tr2m.data.readers.kitti import KITTI
from tr2m.data.readers.nyuv2 import NYUv2
from tr2m.data.readers.nyuv2_labeled import NYUv2Labeled
from tr2m.data.readers.simcol import SimCol
from tr2m.data.readers.sunrgbd import SUNRGBD
from tr2m.data.readers.void import VOID

PACKED = ("sunrgbd", "ibims", "hypersim", "diode")
"""Whose config takes captions out of one file."""
WITHOUT_CAPTIONS = ("folder", "c3vd", "simcol")
"""Whose reader or config brings or makes its sentences."""
NETWORK_SIZE = (28, 70)
Points = dict[tuple[int, int], float]


@dataclass
class Split:
    """What one split of a tree holds. Depth in the reader's unit at (row, column) of frame 0."""

    ids: list[str]
    points: Points


@dataclass
class Reader:
    """One row of the contract."""

    dataset: type[DepthDataset]
    tree: Callable[[Path], Path | None]
    depth_range: tuple[float, float]
    size: tuple[int, int]
    splits: dict[str, Split]
    files: dict[str, str]
    """The image and the depth file of frame 0 of the first split."""
    options: dict[str, Any] = field(default_factory=dict)
    missing: str = ""
    """What the message says if the image of frame 0 is gone when the data set is opened; "" if nobody looks."""


NYU_TEST = {(240, 320): 1.5, (100, 100): 0.0, (300, 300): 10.0, (45, 43): 3.21, (44, 43): 3.0, (0, 0): 2.0}
NYU_TRAIN = NYU_TEST | {(44, 43): 0.0, (0, 0): 0.0, (471, 607): 4.321, (471, 608): 0.0, (472, 607): 0.0}
KITTI_IMAGE = "2011_09_26/2011_09_26_drive_{0}_sync/image_02/data/{1:010d}"
CROPPED = {(0, 0): 1.0, (351, 1215): 255.99609375, (177, 587): 100.00390625, (178, 587): 0.0, (1, 0): 7.8125}
VOID_POINTS = {(0, 0): 0.0, (10, 20): 5.0, (95, 127): 4.99609375, (5, 5): 1.00390625, (1, 1): 7.8125}
C3VD_CROPPED = {(0, 0): 50.0007629, (719, 949): 25.0003815, (320, 300): 0.0, (321, 300): 0.0, (1, 1): 3.0518044}
IBIMS_POINTS = {(0, 0): 3.25, (5, 5): 0.0, (6, 6): 30.0, (10, 20): 0.0, (11, 20): 0.0}
SUN_POINTS = {(0, 0): 0.0, (10, 20): 1.0, (95, 127): 9.87, (5, 5): 8.191, (1, 1): 2.0}
DIODE_POINTS = {(0, 0): 0.0, (1, 1): 0.0, (10, 20): 0.0, (11, 20): 12.5}
SIMCOL_POINTS = {(0, 0): 0.0, (10, 20): 0.7843137, (474, 474): 200.0, (1, 1): 6.1274510}
SUN_FRAME = "kv1/NYUdata/NYU0001"
HYPERSIM_FOLDER = "ai_001_010/images/scene_cam_00"
DIODE_FRAME = "scene_00022/scan_00193/00022_00193_outdoor_350_020"

READERS = {
    "nyuv2": Reader(
        NYUv2,
        trees.nyuv2,
        (1e-3, 10.0),
        trees.NYU_SIZE,
        {
            "train": Split(["kitchen_0028b/rgb_00045", "kitchen_0028b/rgb_00046"], NYU_TRAIN),
            "test": Split(["bathroom/rgb_00001"], NYU_TEST),
        },
        {"image": "sync/kitchen_0028b/rgb_00045.jpg", "depth": "sync/kitchen_0028b/sync_depth_00045.png"},
    ),
    "nyuv2_labeled": Reader(
        NYUv2Labeled,
        trees.nyuv2_labeled,
        (1e-3, 10.0),
        trees.NYU_SIZE,
        {
            "train": Split(["kitchen/rgb_00000", "kitchen/rgb_00002"], NYU_TRAIN),
            "test": Split(["bathroom/rgb_00001"], NYU_TEST),
        },
        {},
    ),
    "kitti": Reader(
        KITTI,
        trees.kitti,
        (1e-3, 80.0),
        (352, 1216),
        {
            "train": Split([KITTI_IMAGE.format("0001", 5)], CROPPED),
            "test": Split([KITTI_IMAGE.format("0052", 8)], CROPPED),
        },
        {
            "image": f"raw/{KITTI_IMAGE.format('0001', 5)}.png",
            "depth": "annotated/2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png",
        },
    ),
    "void": Reader(
        VOID,
        trees.void,
        (0.2, 10.0),
        trees.SMALL,
        {
            "train": Split(
                [f"void_1500/data/stairs0/image/{stamp}" for stamp in ("1552097950.2483", "1552097950.3818")],
                VOID_POINTS,
            ),
            "test": Split(["void_1500/data/desktop2/image/1552625295.7828"], VOID_POINTS),
        },
        {
            kind: f"void_release/void_1500/data/stairs0/{kind_folder}/1552097950.2483.png"
            for kind, kind_folder in (("image", "image"), ("depth", "ground_truth"))
        },
    ),
    "c3vd": Reader(
        C3VD,
        trees.c3vd,
        (0.1, 50.0),
        (720, 950),
        {
            "train": Split(["cecum_t1_a/0000", "cecum_t1_a/0010"], C3VD_CROPPED),
            "test": Split(["desc_t4_a/0003"], C3VD_CROPPED),
        },
        {"image": "cecum_t1_a_under_review/0_color.png", "depth": "cecum_t1_a_under_review/0000_depth.tiff"},
        {"crop": [180, 900, 200, 1150], "mask_corners": True},
        missing="expected 1 groups with 2 frames, .* found 1 groups with 1 frames; the first that differ: cecum_t1_a 0",
    ),
    "sunrgbd": Reader(
        SUNRGBD,
        trees.sunrgbd,
        (0.0, 8.0),
        trees.SMALL,
        {"test": Split(list(trees.SUN_FOLDERS), SUN_POINTS)},
        {
            "image": f"SUNRGBD/{SUN_FRAME}/image/NYU0001.jpg",
            "depth": f"SUNRGBD/{SUN_FRAME}/depth/NYU0001_abs.png",
        },
    ),
    "ibims": Reader(
        IBims,
        trees.ibims,
        (0.0, 10.0),
        trees.SMALL,
        {"test": Split(["corridor_01", "corridor_02", "restroom_02"], IBIMS_POINTS)},
        {"image": "ibims1_core_mat/corridor_01.mat", "depth": "ibims1_core_mat/corridor_01.mat"},
        missing="expected 2 groups with 3 frames, .* found 2 groups with 2 frames; the first that differ: corridor 1",
    ),
    "hypersim": Reader(
        HyperSim,
        trees.hypersim,
        (1e-3, 80.0),
        trees.SMALL,
        {
            "test": Split(
                ["ai_001_010/cam_00/0000", "ai_001_010/cam_00/0012", "ai_003_007/cam_01/0003"],
                {(0, 0): 0.0, (0, 1): 3.984419, (48, 64): 3.9999987},
            )
        },
        {
            "image": f"{HYPERSIM_FOLDER}_final_hdf5/frame.0000.color.hdf5",
            "depth": f"{HYPERSIM_FOLDER}_geometry_hdf5/frame.0000.depth_meters.hdf5",
        },
    ),
    "diode": Reader(
        DIODEOutdoor,
        trees.diode,
        (1e-3, 80.0),
        trees.SMALL,
        {"val": Split([DIODE_FRAME, "scene_00024/scan_00202/00024_00202_outdoor_350_020"], DIODE_POINTS)},
        {"image": f"val/outdoor/{DIODE_FRAME}.png", "depth": f"val/outdoor/{DIODE_FRAME}_depth.npy"},
        missing=r"expected 2 groups with 2 frames, .* found 1 .*; the first that differ: scene_00022 \(0 of 1\)",
    ),
    "simcol": Reader(
        SimCol,
        trees.simcol,
        (0.1, 100.0),
        trees.SIMCOL_SIZE,
        {
            "test": Split(
                [
                    f"SyntheticColon_{folder}/FrameBuffer_{number}"
                    for folder in ("I/Frames_S5", "III/Frames_O1")
                    for number in ("0000", "0600")
                ],
                SIMCOL_POINTS,
            )
        },
        {
            "image": "SyntheticColon_I/Frames_S5/FrameBuffer_0000.png",
            "depth": "SyntheticColon_I/Frames_S5/Depth_0000.png",
        },
        missing="expected 2 groups with 4 frames, .* 2 groups with 3 frames; the first that differ: .*/Frames_S5 0",
    ),
    "folder": Reader(
        Folder,
        trees.folder,
        (1e-3, 10.0),
        trees.SMALL,
        {
            "train": Split(
                ["color/000000", "color/000007"],
                {(0, 0): 0.0, (10, 20): 0.0, (95, 127): 11.0, (5, 5): 1.234, (1, 1): 2.0},
            ),
            "test": Split(["color/000009"], {(0, 0): 0.0, (7, 7): 0.0, (5, 5): 1234.0, (1, 1): 2.0}),
        },
        {"image": "color/000000.jpg", "depth": "depth/000000.png"},
        {"invalid": [0, 65535]},
        missing="line 2: no file .*color/000000.jpg",
    ),
}


def captions(name: str, root: Path) -> CaptionFiles:
    """15 sentences for every frame of a tree."""
    for split, content in READERS[name].splits.items():
        for sample_id in content.ids:
            path = root / "captions" / split / f"{sample_id}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{sample_id}, sentence {n}.\n" for n in range(15)))
    return CaptionFiles(root / "captions")


def packed_captions(name: str, root: Path) -> Path:
    """The same sentences in one file."""
    source, file = captions(name, root), root / "captions.sqlite"
    writer = CaptionWriter(file, source.description, {})
    for split, content in READERS[name].splits.items():
        sentences = ((sample_id, source.lines(split, sample_id)) for sample_id in content.ids)
        writer.add(split, sentences, save_every=1)
    writer.finish()
    return file


def opened(name: str, tree: Path, split: str | None = None, **changes: Any) -> DepthDataset:
    """A reader on its tree, in its first split unless told otherwise."""
    reader = READERS[name]
    arguments = {
        "name": "tiny",
        "split": split or next(iter(reader.splits)),
        "root": tree,
        "split_file": tree / "list.yaml",
        "captions": captions(name, tree),
        "input_size": NETWORK_SIZE,
        "depth_range": reader.depth_range,
        **reader.options,
        **changes,
    }
    if name == "folder":
        del arguments["split_file"]
    return reader.dataset(**arguments)
