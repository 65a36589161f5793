"""What the files of a prediction hold, on maps whose values are chosen."""

import json
from pathlib import Path

import cv2
import numpy as np

from tr2m.inference.files import save_prediction
from tr2m.inference.predict import Prediction


def test_every_map_is_written_as_it_is(tmp_path: Path):
    depth = np.array([[0.5, 1.0], [2.0, 6.5]], np.float32)
    maps = {"scale_map": depth * 2, "shift_map": depth * 3, "caption_spread": depth / 10}
    prediction = Prediction(depth, **maps, relative_depth=depth, unit="m", network_size=(28, 28))
    folder = save_prediction(prediction, tmp_path / "photo", kinds=("depth", "colour", "maps"))
    np.testing.assert_array_equal(np.load(folder / "depth.npy"), depth)
    for name, values in maps.items():
        np.testing.assert_array_equal(np.load(folder / f"{name}.npy"), values)
        assert cv2.imread(str(folder / f"{name}_colour.png")).std(axis=(0, 1)).min() > 10
    # By hand: 6.5 m are 65,000 steps of a tenth of a millimetre; of a hundredth they would be 650,000.
    assert json.loads((folder / "prediction.json").read_text())["png_units_per_metre"] == 10_000
    png = cv2.imread(str(folder / "depth.png"), cv2.IMREAD_UNCHANGED)
    assert png.tolist() == [[5000, 10000], [20000, 65000]]
