"""The whole pipeline, from the files of real data sets to metres, can fit real depth."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from test_scripts import run

SAMPLES = os.environ.get("TR2M_SAMPLES")


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.skipif(SAMPLES is None, reason="TR2M_SAMPLES does not point at a folder of real frames")
def test_a_tiny_model_fits_nine_real_frames(tmp_path: Path):
    # 240 of the experiment's 400 epochs at a higher rate; docs/results.md has what the whole of it reaches.
    shorter = ("trainer.epochs=240", "trainer.validate_every=240", "trainer.panels=0", "optim.optimizer.lr=3e-3")
    outputs = {"TR2M_DATA": SAMPLES, "TR2M_OUTPUTS": str(tmp_path)}
    result = run("train.py", "experiment=samples", "run_id=fit", *shorter, **outputs)
    assert result.returncode == 0, result.stderr
    for name in ("samples_nyuv2: protocol 'paper'", "samples_kitti: protocol 'paper'"):
        assert name in result.stdout
    lines = [json.loads(line) for line in (tmp_path / "samples/fit/metrics.jsonl").read_text().splitlines()]
    last = {line["kind"]: line["abs_rel"] for line in lines if line["kind"].startswith("validate/")}
    assert last["validate/samples_nyuv2"] < 0.09
    assert last["validate/samples_kitti"] < 0.07
