"""Tiny trees of the data sets, in their true names and encodings; each builder returns the split file of its tree."""

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import yaml
from scipy.io import savemat

NYU_SIZE, KITTI_SIZE, C3VD_SIZE, SIMCOL_SIZE = (480, 640), (375, 1242), (1080, 1350), (475, 475)
SMALL = (96, 128)
"""For data sets whose reader does not depend on the size."""


def put(path: Path, array: np.ndarray) -> Path:
    """Write an RGB or a depth array as the format that the name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".hdf5":
        with h5py.File(path, "w") as file:
            file["dataset"] = array
    else:
        assert cv2.imwrite(str(path), array[..., ::-1] if array.ndim == 3 else array)
    return path


def colours(size: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def plain(size: tuple[int, int], colour: tuple[int, int, int] = (200, 100, 40)) -> np.ndarray:
    return np.full((*size, 3), colour, np.uint8)


def units(size: tuple[int, int], points: dict[tuple[int, int], int]) -> np.ndarray:
    """A depth file's content: 2000 units everywhere but at the (row, column) points."""
    depth = np.full(size, 2000, np.uint16)
    for point, value in points.items():
        depth[point] = value
    return depth


def split_list(path: Path, train: dict[str, str], test: dict[str, str]) -> Path:
    """A split file that names its frames."""
    splits = {}
    for name, members in (("train", train), ("test", test)):
        frames = sum(terms.count(",") + 1 for terms in members.values())
        splits[name] = {"groups": len(members), "frames": frames, "members": members}
    path.write_text(yaml.safe_dump(splits))
    return path


def split_counts(path: Path, split: str, counts: dict[str, int]) -> Path:
    """A split file that only counts its frames."""
    splits = {split: {"groups": len(counts), "frames": sum(counts.values()), "counts": counts}}
    path.write_text(yaml.safe_dump(splits))
    return path


NYU_POINTS = {(240, 320): 1500, (100, 100): 0, (300, 300): 10000, (45, 43): 3210, (44, 43): 3000, (471, 607): 4321}
KITTI_POINTS = {(23, 13): 256, (22, 13): 300, (374, 1228): 65535, (200, 600): 25601, (201, 600): 0}


def nyuv2(root: Path) -> Path:
    put(root / "sync/kitchen_0028b/rgb_00045.jpg", plain(NYU_SIZE))
    put(root / "sync/kitchen_0028b/sync_depth_00045.png", units(NYU_SIZE, NYU_POINTS))
    put(root / "sync/kitchen_0028b/rgb_00046.png", colours(NYU_SIZE, 1))
    put(root / "sync/kitchen_0028b/sync_depth_00046.png", units(NYU_SIZE, {}))
    put(root / "official_splits/test/bathroom/rgb_00001.png", colours(NYU_SIZE, 2))
    put(root / "official_splits/test/bathroom/sync_depth_00001.png", units(NYU_SIZE, NYU_POINTS))
    return split_list(root / "list.yaml", {"kitchen_0028b": "45, 46"}, {"bathroom": "1"})


def nyuv2_labeled(root: Path) -> Path:
    types = ["kitchen", "bathroom", "kitchen"]
    depth = [units(NYU_SIZE, NYU_POINTS).astype(np.float32) / 1000 + np.float32(0.0007) for _ in types]
    depth[0][250, 250] = 5
    depth[0][251, 250:252] = depth[1][251, 250:252] = [np.nan, np.inf]
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w") as mat:
        # MATLAB writes columns first, so h5py sees every axis in reverse.
        mat["images"] = np.stack([colours(NYU_SIZE, seed).transpose(2, 1, 0) for seed in (1, 2, 3)])
        mat["rawDepths"] = np.stack([one.T for one in depth])
        for number, name in enumerate(types):
            mat[f"#refs#/{number}"] = np.array([[ord(letter)] for letter in name], np.uint16)
        mat["sceneTypes"] = np.array([[mat[f"#refs#/{number}"].ref for number in range(3)]], h5py.ref_dtype)
    return split_list(root / "list.yaml", {"unused_0001": "1"}, {"bathroom": "1"})


def kitti(root: Path, part: str = "") -> Path:
    for drive, number in (("2011_09_26_drive_0001", 5), ("2011_09_26_drive_0052", 8)):
        name = f"{number:010d}.png"
        put(root / f"raw/{drive[:10]}/{drive}_sync/image_02/data/{name}", colours(KITTI_SIZE, number))
        depth = root / "annotated" / part / f"{drive}_sync/proj_depth"
        put(depth / "groundtruth/image_02" / name, units(KITTI_SIZE, KITTI_POINTS))
        put(depth / "velodyne_raw/image_02" / name, units(KITTI_SIZE, {(200, 600): 512}))
    return split_list(root / "list.yaml", {"2011_09_26_drive_0001": "5"}, {"2011_09_26_drive_0052": "8"})


def void(root: Path) -> Path:
    release = root / "void_release"
    lists = {"train": {"stairs0": ["1552097950.2483", "1552097950.3818"]}, "test": {"desktop2": ["1552625295.7828"]}}
    for split, sequences in lists.items():
        lines = []
        for sequence, timestamps in sequences.items():
            for timestamp in timestamps:
                lines.append(f"void_1500/data/{sequence}/image/{timestamp}.png")
                image = put(release / lines[-1], colours(SMALL, len(sequence)))
                depth = units(SMALL, {(0, 0): 0, (10, 20): 1280, (95, 127): 1279, (5, 5): 257})
                depth[40:60] = 512
                put(image.parent.with_name("ground_truth") / image.name, depth)
                put(image.parent.with_name("validity_map") / image.name, units(SMALL, {(10, 20): 256}) // 256 * 256)
        (release / f"void_1500/{split}_image.txt").write_text("\n".join(lines) + "\n")
    splits = {"train": {"groups": 1, "frames": 2}, "test": {"groups": 1, "frames": 1, "counts": {"desktop2": 1}}}
    (root / "list.yaml").write_text(yaml.safe_dump(splits))
    return root / "list.yaml"


def fisheye(size: tuple[int, int], blue: int = 40) -> np.ndarray:
    """A disc of colour with one dark spot, in a black frame whose corners the disc does not reach."""
    image = np.zeros((*size, 3), np.uint8)
    cv2.circle(image, (size[1] // 2, size[0] // 2), 640, (200, 100, blue), -1)
    image[400:420, 500:520] = 0
    return image


C3VD_POINTS = {(180, 200): 32768, (179, 200): 300, (899, 1149): 16384, (500, 500): 65535, (501, 500): 0, (0, 0): 5000}


def c3vd(root: Path) -> Path:
    depth = units(C3VD_SIZE, C3VD_POINTS)
    for number in (0, 10):
        put(root / f"cecum_t1_a_under_review/{number}_color.png", fisheye(C3VD_SIZE))
        put(root / f"cecum_t1_a_under_review/{number:04d}_depth.tiff", depth)
    put(root / "c0_descending_t4_v1/rgb/0003.png", fisheye(C3VD_SIZE, 41))
    put(root / "c0_descending_t4_v1/depth/0003_depth.tiff", depth)
    return split_list(root / "list.yaml", {"cecum_t1_a": "0, 10"}, {"desc_t4_a": "3"})


SUN_FOLDERS = {
    "kv1/NYUdata/NYU0001": "NYU0001",
    "kv2/align_kv2/2014-12-18_11-31-54_260595134347": "0000144",
    "xtion/sun3ddata/brown_bm_1/brown_bm_1/0000103_FRAME": "0000103",
}


def rotated(millimetres: np.ndarray) -> np.ndarray:
    """SUN RGB-D's code for depth: the 16 bits rotated left by 3."""
    return (millimetres << 3) | (millimetres >> 13)


def allsplit(root: Path, folders: list[str]) -> None:
    """The list of the toolbox: MATLAB cells of the authors' absolute paths, some of which end with a slash."""
    cells = np.empty((1, len(folders)), object)
    cells[0, :] = [f"/n/fs/sun3d/data/SUNRGBD/{folder}{'/' * (n % 2)}" for n, folder in enumerate(folders)]
    path = root / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"alltest": cells, "alltrain": cells[:, :0]}, do_compression=True)


def sunrgbd(root: Path) -> Path:
    for folder, name in SUN_FOLDERS.items():
        depth = units(SMALL, {(0, 0): 0, (10, 20): 1000, (95, 127): 9870, (5, 5): 8191})
        put(root / "SUNRGBD" / folder / f"image/{name}.jpg", plain(SMALL))
        put(root / "SUNRGBD" / folder / f"depth/{name}_abs.png", rotated(depth))
        put(root / "SUNRGBD" / folder / f"depth_bfx/{name}_abs.png", rotated(units(SMALL, {})))
    allsplit(root, list(SUN_FOLDERS))
    return split_counts(root / "list.yaml", "test", {"/".join(folder.split("/")[:2]): 1 for folder in SUN_FOLDERS})


def ibims(root: Path) -> Path:
    for name in ("corridor_01", "corridor_02", "restroom_02"):
        depth = np.full(SMALL, 3.25)
        depth[5, 5], depth[6, 6], depth[7, 7], depth[8, 8] = 0, 30, np.inf, np.nan
        masks = {"mask_invalid": np.ones(SMALL, np.uint8), "mask_transp": np.ones(SMALL, np.uint8)}
        masks["mask_invalid"][10, 20] = 0
        masks["mask_transp"][11, 20] = 0
        data = {"rgb": colours(SMALL, 3), "depth": depth, "calib": np.eye(3), **masks}
        (root / "ibims1_core_mat").mkdir(parents=True, exist_ok=True)
        savemat(root / f"ibims1_core_mat/{name}.mat", {"data": data}, do_compression=True)
    return split_list(root / "list.yaml", {}, {"corridor": "1, 2", "restroom": "2"})


HYPERSIM_COLUMNS = "scene_name,camera_name,frame_id,included_in_public_release,exclude_reason,split_partition_name"


def hypersim(root: Path) -> Path:
    rows = ["ai_001_010,cam_00,0,True,,test", "ai_001_010,cam_00,12,True,,test", "ai_003_007,cam_01,3,True,,test"]
    others = ["ai_001_001,cam_00,0,True,,train", "ai_001_010,cam_00,7,False,broken,test"]
    root.mkdir(parents=True, exist_ok=True)
    text = "\n".join([HYPERSIM_COLUMNS, *others, *rows]) + "\n"
    (root / "metadata_images_split_scene_v1.csv").write_text(text)
    for scene, camera, number in (row.split(",")[:3] for row in rows):
        images, frame = root / scene / "images", f"frame.{int(number):04d}"
        distance = np.full(SMALL, 4, np.float16)
        distance[0, 0], distance[1, 1], distance[2, 2] = np.nan, 60, np.inf
        entity = np.ones(SMALL, np.int32)
        entity[:8] = -1
        put(images / f"scene_{camera}_geometry_hdf5/{frame}.depth_meters.hdf5", distance)
        put(images / f"scene_{camera}_geometry_hdf5/{frame}.render_entity_id.hdf5", entity)
        color = np.full((*SMALL, 3), 0.5, np.float16)
        color[-1] = 0.25
        put(images / f"scene_{camera}_final_hdf5/{frame}.color.hdf5", color)
        put(images / f"scene_{camera}_final_preview/{frame}.tonemap.jpg", plain(SMALL))
    return split_counts(root / "list.yaml", "test", {"ai_001_010": 2, "ai_003_007": 1})


def diode(root: Path) -> Path:
    names = ("scene_00022/scan_00193/00022_00193", "scene_00024/scan_00202/00024_00202")
    for name in names:
        depth = np.full((*SMALL, 1), 12.5, np.float32)
        depth[0, 0], depth[1, 1], depth[2, 2], depth[10, 20] = 0, np.nan, np.inf, 7
        mask = np.ones(SMALL, np.float32)
        mask[10, 20] = 0
        base = root / f"val/outdoor/{name}_outdoor_350_020"
        put(base.with_suffix(".png"), plain(SMALL))
        put(Path(f"{base}_depth.npy"), depth)
        put(Path(f"{base}_depth_mask.npy"), mask)
    return split_counts(root / "list.yaml", "val", {"scene_00022": 1, "scene_00024": 1})


def simcol(root: Path) -> Path:
    for folder in ("SyntheticColon_I/Frames_S5", "SyntheticColon_III/Frames_O1"):
        for number in (0, 600):
            rgba = np.full((*SIMCOL_SIZE, 4), 65280, np.uint16)
            rgba[..., :3] = np.array([40, 100, 200]) * 256
            path = root / folder / f"FrameBuffer_{number:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), rgba)
            depth = units(SIMCOL_SIZE, {(0, 0): 0, (10, 20): 256, (474, 474): 65280})
            put(path.with_name(f"Depth_{number:04d}.png"), depth)
    terms = {"SyntheticColon_I/Frames_S5": "0, 600", "SyntheticColon_III/Frames_O1": "0, 600"}
    return split_list(root / "list.yaml", {}, terms)


def folder(root: Path) -> None:
    depth = units(SMALL, {(0, 0): 0, (10, 20): 65535, (95, 127): 11000, (5, 5): 1234})
    rows = ["image,depth,metres_per_unit,caption"]
    for number in (0, 7):
        put(root / f"color/{number:06d}.jpg", plain(SMALL))
        put(root / f"depth/{number:06d}.png", depth)
        rows.append(f'color/{number:06d}.jpg,depth/{number:06d}.png,0.001,"A kitchen, frame {number}."')
    (root / "train.csv").write_text("\n".join(rows) + "\n")
    metres = np.where(depth == 2000, 2, depth).astype(np.float32)
    metres[7, 7] = np.nan
    put(root / "depth/a.npy", metres)
    put(root / "color/000009.jpg", plain(SMALL, (40, 100, 200)))
    row = {
        "image": "color/000009.jpg",
        "depth": "depth/a.npy",
        "metres_per_unit": 1,
        "caption": ["A kitchen.", "A sink."],
    }
    (root / "test.jsonl").write_text(json.dumps(row) + "\n")
