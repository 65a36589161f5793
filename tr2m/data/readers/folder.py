"""Anyone's own data: a folder with a table of frames for each split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tr2m.data.captions.files import CaptionSource
from tr2m.data.decoding.arrays import NPY
from tr2m.data.decoding.decode import pair, read_depth_array, read_depth_units, read_image
from tr2m.data.depth_dataset import DepthDataset, require_root
from tr2m.data.readers.frame_table import FrameRow, find_frame_table, read_frame_table, require_held_out
from tr2m.data.splits import HELD_OUT, TRAIN
from tr2m.errors import UserError
from tr2m.types import UNITS_PER_METRE, Frame, Unit

NAMED = 5


class TableCaptions:
    """The sentences of a table of frames. Raises UserError that names frames without one."""

    description = "the data set's own table, line 1"

    def __init__(self, table: Path, rows: Sequence[FrameRow]) -> None:
        self.captions = {row.sample_id: row.captions for row in rows}
        if missing := [row.sample_id for row in rows if not row.captions]:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            raise UserError(
                f"{table}: {len(missing)} of {len(rows)} frames have no caption: {', '.join(missing[:NAMED])}{more}. "
                'Write one for each, give one sentence for all (sentence="a corridor in an office"), or have a model '
                "describe them (tr2m captions, then caption_file=...); docs/own_data.md shows how"
            )

    def lines(self, split: str, sample_id: str) -> list[str]:
        return self.captions[sample_id]


@dataclass(kw_only=True, eq=False)
class Folder(DepthDataset):
    """The frames of `<root>/<split>.csv` or `<root>/<split>.jsonl`; depth in 16-bit PNG or TIFF, or in .npy."""

    root: str | Path
    """The folder of the tables."""
    unit: Unit = "m"
    """What a model is to predict for these frames: mm for endoscopy."""
    captions: CaptionSource | None = None
    """None: those of the table."""
    invalid: Sequence[float] = (0,)
    """Numbers in depth files that mean "not measured"; what is negative or not finite never counts."""

    def index_frames(self) -> list[str]:
        root = require_root(self.root, self.name)
        self.table, training_table = find_frame_table(root, self.split), find_frame_table(root, TRAIN)
        self.rows = read_frame_table(self.table)
        if self.split in HELD_OUT and training_table.exists():
            require_held_out(self.rows, self.table, training_table)
        self.captions = self.captions or self.own_captions()
        return [row.sample_id for row in self.rows]

    def own_captions(self) -> CaptionSource:
        return TableCaptions(self.table, self.rows)

    def conditions(self) -> dict[str, object]:
        return {**super().conditions(), "invalid": self.invalid}

    def read_frame(self, index: int) -> Frame:
        row = self.rows[index]
        units = read_depth_array(row.depth) if row.depth.suffix.lower() == NPY else read_depth_units(row.depth)
        measured = np.isfinite(units) & (units > 0) & ~np.isin(units, self.invalid)
        scale = row.metres_per_unit * UNITS_PER_METRE[self.unit]
        depth = np.where(measured, units, 0).astype(np.float32) * np.float32(scale)
        return pair(read_image(row.image), depth, row.image, row.depth)
