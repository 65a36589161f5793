"""The demo's last step: a picture, its relative depth, and a command that a visitor can repeat."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from small_run import make_trainer

from tr2m.cli.demo import predict_a_picture
from tr2m.cli.main import run
from tr2m.data.decoding.decode import read_rgb
from tr2m.errors import UserError
from tr2m.synthetic.world import SyntheticDepth


def test_the_command_that_the_demo_prints_predicts_its_picture(tmp_path: Path, capsys: pytest.CaptureFixture):
    options = {"depth_range": (0.5, 10.0), "input_size": (28, 42), "seed": 0, "size": (28, 42)}
    world = SyntheticDepth(name="synthetic_room", domain="room", split="test", count={"test": 2}, **options)
    folder = tmp_path / "a run"
    make_trainer(folder, "model/relative_depth=stored", sets=[world], max_steps=1).fit()
    capsys.readouterr()
    predict_a_picture(world, folder)
    printed = capsys.readouterr().out
    # On the machine that tests run on there is no GPU to differ on, and a file is what it was.
    depth = np.load(folder / "prediction/synthetic_room/depth.npy")
    assert (depth.shape, depth.dtype) == ((28, 42), np.float32)
    frame = world.read_frame(0)
    np.testing.assert_array_equal(read_rgb(folder / "photo/synthetic_room.png"), frame.image)
    median = np.median(frame.depth[frame.depth > 0])
    assert f"true median, where the synthetic sensor measures: {median:.3g} m" in printed
    (command,) = re.findall(r"^    tr2m (predict .*)$", printed, re.M)
    run([*shlex.split(command), "--out", str(tmp_path / "again")])
    np.testing.assert_array_equal(np.load(tmp_path / "again/synthetic_room/depth.npy"), depth)
    facts = json.loads((tmp_path / "again/synthetic_room/prediction.json").read_text())
    assert facts["captions"][0]["caption"] == world.captions.lines("test", "room/test/00000")[0]
    # A photo of one's own has no such file: it is refused at once, in words.
    own = [word for word in shlex.split(command) if word != "--relative-depth" and not word.endswith(".npy")]
    with pytest.raises(UserError, match="cannot estimate it from an image: give it with the image"):
        run([*own, "--out", str(tmp_path / "mine")])
    assert not (tmp_path / "mine").exists()
