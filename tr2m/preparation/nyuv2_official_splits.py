"""NYU Depth V2's folder `official_splits`, written from the authors' file of labelled frames."""

from __future__ import annotations

import cv2
import numpy as np
from tqdm import tqdm

from tr2m.data.captions.files import NoCaptions
from tr2m.data.decoding.encode import write_png
from tr2m.data.readers.nyuv2 import UNITS_PER_METRE
from tr2m.data.readers.nyuv2_labeled import NYUv2Labeled
from tr2m.errors import UserError
from tr2m.preparation.steps import Outcome, Workplace, find_files


class WriteOfficialSplits:
    """The test frames of nyu_depth_v2_labeled.mat as PNG files, images too: nothing is lost on the way.

    Args:
        file: name of the labelled file.
        split_file: a list in the form of `tr2m.data.splits`, whose test split is written.
        source: where to get the file.
    """

    def __init__(self, file: str, split_file: str, source: str) -> None:
        self.file, self.split_file, self.source = file, split_file, source

    def run(self, place: Workplace, outcome: Outcome) -> None:
        if not find_files(place, self.file, 1, self.source, outcome):
            return
        folder, written = place.root / "official_splits" / "test", 0
        try:
            labeled = NYUv2Labeled(
                name="nyuv2",
                split="test",
                root=place.archives,
                split_file=self.split_file,
                captions=NoCaptions(),
                input_size=(14, 14),
                depth_range=(0, 10),
            )
            for index, sample_id in enumerate(tqdm(labeled.sample_ids, desc="official_splits")):
                image, depth = folder / f"{sample_id}.png", folder / f"{sample_id.replace('/rgb_', '/sync_depth_')}.png"
                if image.exists() and depth.exists():
                    continue
                frame = labeled.read_frame(index)
                write_png(image, cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
                write_png(depth, np.round(frame.depth * UNITS_PER_METRE).astype(np.uint16))
                written += 1
        except UserError as error:
            outcome.problems.append(str(error))
            return
        outcome.done.append(f"{self.file}: {len(labeled):,} frames for official_splits, {written:,} of them new")
