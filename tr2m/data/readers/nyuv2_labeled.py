"""NYU Depth V2 from the authors' own file of 1,449 labelled frames, `nyu_depth_v2_labeled.mat`."""

from __future__ import annotations

import numpy as np

from tr2m.data.decoding.decode import hdf5_array, open_hdf5
from tr2m.data.depth_dataset import ListedDataset
from tr2m.data.readers.nyuv2 import UNITS_PER_METRE, without_warp_border
from tr2m.data.splits import load_split
from tr2m.errors import UserError
from tr2m.types import Frame

EXPECTED = "the labelled file of NYU Depth V2 (MATLAB v7.3, about 2.8 GB); docs/datasets.md says where to get it"


class NYUv2Labeled(ListedDataset):
    """The frames of the folder `official_splits`, under the same ids, before they went through JPEG.

    Test: the frames of the list's test split, whose numbers count from 0 in the file. Train: all others, 795.
    """

    def index_frames(self) -> list[str]:
        if self.split not in ("train", "test"):
            raise UserError(f"NYUv2Labeled: got split {self.split!r}, expected train or test.")
        self.file = self.home / "nyu_depth_v2_labeled.mat"
        test = {number: scene_type for scene_type, number in load_split(self.split_file, "test")}
        with open_hdf5(self.file, EXPECTED) as mat:
            types = [
                "".join(map(chr, hdf5_array(mat, r)[()].ravel())) for r in hdf5_array(mat, "sceneTypes")[()].ravel()
            ]
        strangers = [f"{test[n]} {n}" for n in test if n >= len(types) or types[n] != test[n]]
        if strangers:
            raise UserError(
                f"{self.file}: got {len(types)} frames, expected those that {self.split_file} names as test, "
                f"but {len(strangers)} of them are missing or of another scene type, the first: {strangers[0]}."
            )
        self.numbers = [number for number in range(len(types)) if (number in test) == (self.split == "test")]
        return [f"{types[number]}/rgb_{number:05d}" for number in self.numbers]

    def read_frame(self, index: int) -> Frame:
        # Opened for every frame (under a millisecond): an HDF5 handle survives neither a fork nor pickling.
        with open_hdf5(self.file, EXPECTED) as mat:
            image = hdf5_array(mat, "images")[self.numbers[index]].transpose(2, 1, 0)
            measured = hdf5_array(mat, "rawDepths")[self.numbers[index]].T
        # As in official_splits: the white warp border is black, and depth is cut to whole millimetres.
        black = np.zeros_like(image)
        black[7:474, 7:632] = image[7:474, 7:632]
        measured = np.where(np.isfinite(measured), measured, np.float32(0))
        depth = np.trunc(measured * np.float32(UNITS_PER_METRE)) / np.float32(UNITS_PER_METRE)
        return Frame(black, depth if self.split == "test" else without_warp_border(depth))
