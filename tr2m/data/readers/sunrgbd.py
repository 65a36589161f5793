"""SUN RGB-D: indoor frames of four depth cameras, with the official split in allsplit.mat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt16

from tr2m.data.decoding.decode import open_mat, pair, read_depth_units, read_image
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.readers.listing import only_file
from tr2m.data.splits import select_split
from tr2m.types import Frame

EXPECTED = "allsplit.mat of SUNRGBDtoolbox.zip"
NYU = "kv1/NYUdata"
DepthDecode = Literal["bitrotate", "div10000", "div1000"]


@dataclass(kw_only=True, eq=False)
class SUNRGBD(ListedDataset):
    """Frames of several sizes, each in a folder of its own."""

    depth_decode: DepthDecode = "bitrotate"
    """How uint16 becomes metres; "bitrotate" is right, the other two are found in evaluation code."""
    depth_folder: Literal["depth", "depth_bfx"] = "depth"
    """ "depth" is what the sensor gave, "depth_bfx" the same with its holes filled in: results do not compare."""
    exclude_nyu: bool = False
    """Leave out the frames that are NYU Depth V2's, which are not zero-shot for a model trained on it."""

    def index_frames(self) -> list[str]:
        listed = listed_folders(self.home / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat", self.split)
        frames = select_split(self.split_file, self.split, listed)
        return [f"{camera}/{folder}" for camera, folder in frames if not (self.exclude_nyu and camera == NYU)]

    def conditions(self) -> dict[str, object]:
        options = ("depth_decode", "depth_folder", "exclude_nyu")
        return {**super().conditions(), **{option: getattr(self, option) for option in options}}

    def read_frame(self, index: int) -> Frame:
        folder = self.home / "SUNRGBD" / self.sample_ids[index]
        image_path, depth_path = only_file(folder / "image", ".jpg"), only_file(folder / self.depth_folder, ".png")
        depth = metres(read_depth_units(depth_path), self.depth_decode)
        return pair(read_image(image_path), depth, image_path, depth_path)


def listed_folders(path: Path, split: str) -> list[tuple[str, str]]:
    """(camera and collection, folder below it) of each frame of a split, from the absolute paths of the authors."""
    with open_mat(path, EXPECTED) as mat:
        paths = [str(cell.item()) for cell in mat[f"all{split}"].ravel()]
    folders = [path.partition("SUNRGBD/")[2].strip("/").split("/") for path in paths]
    return [("/".join(parts[:2]), "/".join(parts[2:])) for parts in folders]


def metres(units: UInt16[np.ndarray, "H W"], depth_decode: DepthDecode) -> Float[np.ndarray, "H W"]:
    """Depth in metres, float32. The official toolbox rotates the 16 bits right by 3 to get millimetres; as long as
    depth is below 8.192 m this is units / 8000, so that "div10000" shrinks depth to 0.8 of its size. From there on the
    highest bits lie lowest: "div10000" begins at 0 again, and 9.870 m becomes 1.3425 m, inside the range that counts.
    """
    if depth_decode == "bitrotate":
        units = (units >> 3) | (units << 13)
    return units.astype(np.float32) / np.float32(10000 if depth_decode == "div10000" else 1000)
