"""The contact sheet shows what the reader gives, with captions if there are any."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import trees
from world import Flat

from tr2m.cli import data
from tr2m.data.eval_regions import PixelBox
from tr2m.drawing.contact_sheet import save_contact_sheet
from tr2m.errors import UserError
from tr2m.evaluation.protocol import Protocol


def test_rows_of_image_depth_valid_and_region(tmp_path: Path):
    dataset = Flat([1.0, 2.0, 3.0], [48, 0, 20])
    protocol = Protocol("paper", 0.001, 2.5, PixelBox(0, 6, 0, 4))
    save_contact_sheet(tmp_path / "new/two.png", dataset, protocol, [0, 1])
    save_contact_sheet(tmp_path / "new/three.png", dataset, protocol, [0, 1, 2])
    two, three = (cv2.imread(str(tmp_path / f"new/{name}.png")) for name in ("two", "three"))
    assert two.shape[1] == three.shape[1]
    assert three.shape[0] == pytest.approx(1.5 * two.shape[0], rel=0.02)
    # In the last column half of the first frame is scored (white) and the rest is outside of the region (black); the
    # second frame has no ground truth, so that its region stays grey.
    width, row = two.shape[1], two.shape[0] // 2
    (first, second) = (two[top : top + row, width * 3 // 4 :, 0] for top in (0, row))
    assert np.mean(first == 0) == pytest.approx(np.mean(second == 0), rel=0.2)
    grey_first, grey_second = (np.mean(abs(part - 127.5) < 1) for part in (first, second))
    assert grey_second > 0.2 > grey_first


def test_the_program_shows_a_prepared_data_set_before_it_has_captions(tmp_path: Path, capsys):
    trees.ibims(tmp_path)
    places = [f"dataset.reader.root={tmp_path}", f"dataset.reader.split_file={tmp_path}/list.yaml"]
    data.main(["show", "dataset=ibims", *places, f"paths.captions={tmp_path}", "n=2", f"out={tmp_path}/sheet.png"])
    assert "shown without captions: no f" in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / "sheet.png")).size
    with pytest.raises(UserError, match="it has paper, clean"):
        data.main(["show", "dataset=ibims", *places, "protocol=none"])
