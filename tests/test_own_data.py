"""docs/own_data.md, command by command, on a few small frames and with tiny networks."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny
import trees
import trimesh
from test_readme import commands
from tiny import ROOT
from tiny_blip import save_blip

from tr2m.build import build
from tr2m.cli.main import run
from tr2m.experiment.released import write_released
from tr2m.synthetic.world import SyntheticDepth
from tr2m.training.run.record import read_run

pytestmark = pytest.mark.longest

PAGE = ROOT / "docs/own_data.md"
SIZE = "[98,126]"
ON_A_CPU = ["device=cpu", "trainer.workers=0", "trainer.epochs=1", "trainer.batch_size=2", "trainer.panels=1"]
OWN = [*tiny.PUBLISHED_WIDTHS, f"data.datasets.folder.reader.input_size={SIZE}", *ON_A_CPU, "run_id=some"]
# What makes a command of the page small.
TOY = {
    "train experiment=own_tiny": ON_A_CPU,
    "train experiment=own ": OWN,
    "captions": ["device=cpu", "source.captions.max_new_tokens=4"],
    "eval": [f"dataset.reader.input_size={SIZE}", "workers=0", "device=cpu"],
    "predict": ["--device", "cpu"],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with frames of two rooms, a photo and stand-ins for the published weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TR2M_WEIGHTS", "weights")
    monkeypatch.delenv("TR2M_OUTPUTS", raising=False)
    facts = {"domain": "room", "count": {"train": 5}, "seed": 0, "size": (98, 126), "depth_range": (0.5, 10.0)}
    drawn = SyntheticDepth(name="rooms", split="train", input_size=(98, 126), **facts)
    for number in range(5):
        frame, room = drawn.read_frame(number), "office" if number < 3 else "archive"
        trees.put(tmp_path / f"my_rooms/{room}/color/{number}.png", frame.image)
        trees.put(tmp_path / f"my_rooms/{room}/depth/{number}.png", np.round(frame.depth * 1000).astype(np.uint16))
    cv2.imwrite("photo.jpg", frame.image)
    save_blip(tmp_path / "weights/Salesforce/blip-image-captioning-large")
    model = build(tiny.config("model=tr2m", *tiny.PUBLISHED_WIDTHS, name="summary")["model"])
    write_released(tmp_path / "weights/tr2m/da_s_vitl_vitl.pth", model.state_dict(), "random weights")
    return tmp_path


def test_every_command_of_the_page_runs(home: Path, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    exec(compile(code, "own_data", "exec"), {})
    assert (home / "my_rooms/test.csv").read_text().splitlines()[1:] == [
        f"archive/color/{number}.png,archive/depth/{number}.png,0.001" for number in (3, 4)
    ]
    ran = []
    for program, arguments in commands(PAGE):
        line = " ".join([program, *arguments])
        toy = next((options for start, options in TOY.items() if line.startswith(start)), [])
        if "experiment=own " in line and "resume=auto" not in line:
            toy = [*toy, "trainer.max_steps=1"]
        if line.startswith("data check"):
            with pytest.raises(SystemExit, match="problems: folder 2"):
                run([program, *arguments, *toy])
            assert "train.csv: 3 of 3 frames have no caption: office/color/0, office/color/1" in capsys.readouterr().out
        else:
            run([program, *arguments, *toy])
        if "init_from=released" in line:
            # The resumed run must not need it.
            (home / "weights/tr2m/da_s_vitl_vitl.pth").unlink(missing_ok=True)
        ran.append(program)
    assert ran == [*("data", "data", "train", "captions", "train", "train", "train", "runs", "runs", "eval", "predict")]
    assert caplog.text.count("init_from=released, trained at 434x560, 350x1204. Loaded: 18,959,746 weights") == 1
    assert "outputs/own/some/checkpoints/step_00000001.pt at epoch 1, step 1" in caplog.text
    own = read_run(home / "outputs/own/some")
    assert (own.state, own.step, own.config["init_from"]) == ("finished", 2, "released")
    assert own.config["sentence"] == "a corridor in an office"
    printed = capsys.readouterr().out
    assert re.search(r"^own/some +finished +2 of 2 +folder \d", printed, re.M)
    assert 'captions one sentence: "a corridor in an office"' in printed
    assert "captions Salesforce/blip-image-captioning-large, 3 beginnings, line 1" in printed
    cloud = trimesh.load(home / "predictions/photo/points.ply")
    assert len(cloud.vertices) > 100
