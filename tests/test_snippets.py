"""The README's and the pages' code runs: Python as it stands, commands as they stand wherever a toy can stand in."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import tiny
import yaml
from clips import room, write_clip
from small_run import make_trainer
from test_readme import PAGES, commands
from tiny import ROOT
from world import Flat

from tr2m.cli import predict
from tr2m.cli.main import run
from tr2m.data.captions.packed import CaptionWriter
from tr2m.experiment.load import read_trained
from tr2m.training.run.published import publish
from tr2m.video.frames import depth_dataset

BLOCKS = [
    pytest.param(language, code, id=f"{page.stem}-{language}-{number}")
    for page in PAGES
    for number, (language, code) in enumerate(re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.M | re.S))
]
# What makes a command of the README small. The others need data sets or several GPUs: test_readme.py has their options.
TOY_TRAINING = ["model=tiny", *tiny.SMALL, "trainer.max_steps=1", "trainer.batch_size=1", "trainer.workers=0"]
SMALL_FRAMES = ["data.datasets.folder.reader.input_size=[28,42]", "device=cpu"]
CPU = {
    "train data=folder": [*TOY_TRAINING, *SMALL_FRAMES, "trainer.panels=0"],
    "eval ckpt=outputs/my_rooms": ["dataset.reader.input_size=[28,42]", "workers=0", "device=cpu"],
    "predict": ["--device", "cpu"],
    "summary": [],
    "tables plan=3": [],
    "tables table=all": [],
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_trainer(folder, sets=[Flat([2.0, 5.0], [48, 48])], max_steps=1).fit()
    return folder / "checkpoints/last.pt"


@pytest.fixture
def home(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's working directory, with everything that the pages call by name."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(checkpoint, "last.pt")
    for experiment in ("mixed4", "my_rooms"):
        run_folder = Path("outputs", experiment, "some", "checkpoints")
        run_folder.mkdir(parents=True)
        shutil.copyfile(checkpoint, run_folder / "last.pt")
    publish(read_trained("last.pt"), "last.pt", Path("tr2m-mixed4"))
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for name in ("photo.jpg", "frame.png"):
        cv2.imwrite(name, picture)
    write_clip(Path("clip.mp4"), [room(0), room(1)])
    Path("predictions/clip").mkdir(parents=True)
    with h5py.File("predictions/clip/depth.h5", "w") as file:
        depth_dataset(file, 101, (48, 80))
    Path("predictions/clip/prediction.json").write_text("{}")
    rooms = Path("my_rooms")
    rooms.mkdir()
    cv2.imwrite("my_rooms/a.png", picture)
    cv2.imwrite("my_rooms/b.png", picture[::-1].copy())
    np.save("my_rooms/depth.npy", np.linspace(0.5, 9, 2400, dtype=np.float32).reshape(40, 60))
    for split, image in (("train", "a"), ("test", "b")):
        row = f"{image}.png,depth.npy,1,a narrow kitchen"
        (rooms / f"{split}.csv").write_text(f"image,depth,metres_per_unit,caption\n{row}\n")
    shutil.copytree(rooms, "data/my_rooms")
    writer = CaptionWriter(Path("ibims_llava_vicuna.sqlite"), "toy", {})
    writer.add("test", iter([("corridor_01", ["a corridor"])]), save_every=1)
    writer.finish()
    return tmp_path


def own_names() -> dict[str, Any]:
    """What a page lets the reader's own training bring: a model and a batch."""
    model, _, _ = tiny.parts()
    batch = tiny.batch(height=112, width=112)
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    names = {"D": 16, "patch_size": 14, "model": model, "image": batch.image, "inputs": features, "output": output}
    return {**names, "depth": batch.depth, "valid": batch.valid, "loss": output.metric_depth.mean()}


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_blocks_of_code_run(language: str, code: str, home: Path):
    if language == "python":
        exec(compile(code, "snippet", "exec"), own_names())
    elif language == "yaml":
        assert yaml.safe_load(code)
    else:
        assert language == "bash", f"say how a block of {language} is tried"


def test_the_readme_predicts_in_python(home: Path):
    (code,) = [code for language, code in (block.values for block in BLOCKS[:1]) if language == "python"]
    names: dict = {}
    exec(compile(code, "README", "exec"), names)
    assert names["depth"].shape == (40, 60)


def test_no_python_hides_in_other_blocks():
    for page in PAGES:
        outside = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
        assert not re.findall(r"^ *(?:from \w[\w.]* import|import \w+)", outside, re.M), page.name


@pytest.mark.parametrize("start", CPU)
def test_commands_of_the_readme_run(start: str, home: Path, capsys: pytest.CaptureFixture):
    matching = [
        [program, *arguments]
        for program, arguments in commands(ROOT / "README.md")
        if " ".join([program, *arguments]).startswith(start)
    ]
    assert matching, f"the README has no command {start}"
    for command in matching:
        run([*command, *CPU[start], *checkpoint_of(command)])
    assert capsys.readouterr().out


def checkpoint_of(command: list[str]) -> list[str]:
    """The released checkpoint, which predicts unless another is named, is not on this machine."""
    return ["--ckpt", "last.pt"] if command[0] == "predict" and "--ckpt" not in command else []


def test_commands_of_the_page_on_prediction_run(home: Path):
    page = [[program, *arguments] for program, arguments in commands(ROOT / "docs/predict.md")]
    assert len(page) >= 4
    shutil.copytree("my_rooms", "photos", ignore=shutil.ignore_patterns("*.csv", "*.npy"))
    Path("photos.csv").write_text("image,caption\nphoto.jpg,a street\nphotos/a.png,a hall\n")
    for command in page:
        run([*command, *CPU["predict"], *checkpoint_of(command)])
    folders = map(Path, ("predictions", "depth", "captioned"))
    written = {str(path.parent) for folder in folders for path in folder.rglob("depth.npy")}
    assert written == {"predictions/photo", "depth/a", "depth/b", "captioned/photo", "captioned/photos/a"}
    assert {"points.ply", "mesh.glb"} <= {path.name for path in Path("predictions/photo").iterdir()}


def test_commands_of_predict_get_as_far_as_its_run(monkeypatch: pytest.MonkeyPatch):
    seen = []
    for kind in ("run", "run_clip"):
        monkeypatch.setattr(predict, kind, seen.append)
    lines = [arguments for page in PAGES for program, arguments in commands(page) if program == "predict"]
    for arguments in lines:
        predict.main(arguments)
    assert len(seen) == len(lines) > 0
