"""Every data set as its config describes it, on its tree, under each of its protocols."""

import pytest
import tiny
import torch
from readers import PACKED, READERS, WITHOUT_CAPTIONS, captions, packed_captions

from tr2m.build import read_settings
from tr2m.data.settings import DatasetSettings
from tr2m.experiment.compose import build_evaluation_sets


@pytest.mark.parametrize("name", READERS)
def test_a_perfect_prediction_scores_perfectly(name, tmp_path):
    READERS[name].tree(tmp_path)
    changes = {"root": tmp_path}
    if name != "folder":
        changes["split_file"] = tmp_path / "list.yaml"
    if name in PACKED:
        changes["captions.file"] = packed_captions(name, tmp_path)
    elif name not in WITHOUT_CAPTIONS:
        changes |= {"captions.root": captions(name, tmp_path).root, "captions.lines_per_file": 15}
    overrides = [f"dataset.reader.{key}={value}" for key, value in changes.items()]
    dataset = tiny.config(f"dataset={name}", *overrides, name="eval")["dataset"]
    # Files of its own for some: tests/data/test_released_protocol.py.
    dataset["protocols"].pop("released", None)
    for scored in build_evaluation_sets(read_settings(DatasetSettings, dataset), "all"):
        sample = scored.dataset.evaluation_sample(0)
        assert sample.caption
        assert sample.image.shape[1:] == torch.Size(dataset["reader"]["input_size"])
        metrics = scored.protocol.score(sample.depth, sample.depth, sample.valid)
        assert metrics["abs_rel"] == pytest.approx(0, abs=1e-6)
        assert metrics["delta1"] == 1
