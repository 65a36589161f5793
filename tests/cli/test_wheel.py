"""The wheel in an environment of its own, away from the checkout: everything it needs is inside it."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import trees
from tiny import ROOT, SMALL

ONE_EPOCH = ["trainer.epochs=1", "trainer.validate_every=1", "trainer.panels=1", "trainer.workers=0"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with env/bin/tr2m in it: the wheel alone, and the present environment's libraries beside it."""
    folder = tmp_path_factory.mktemp("home")
    # Somebody else's repository, whose commit is not that of the code.
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "env"], cwd=folder, check=True)
    pip = [sys.executable, "-m", "pip", "-q", "--python", str(folder / "env/bin/python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], cwd=folder, check=True)
    # A folder named in a .pth file is searched, but the .pth files in it, such as that of a checkout, are not read.
    (packages,) = folder.glob("env/lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder


def tr2m(home: Path, *arguments: str, returncode: int = 0) -> str:
    """Output of env/bin/tr2m, run in `home`."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("TR2M_")}
    command = [str(home / "env/bin/tr2m"), *arguments]
    result = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == returncode, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_configs_and_split_lists_are_inside(wheel: Path):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("configs", "data_splits"):
        files = {f"tr2m/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*.yaml")}
        assert files
        assert files <= inside
    assert not [name for name in inside if not name.startswith(("tr2m/", "tr2m-"))]


def test_the_code_and_what_comes_with_it_are_the_wheels(home: Path):
    code = "from tr2m.shipped import shipped; print(*map(shipped, ('configs', 'data_splits')), sep='\\n')"
    python = [str(home / "env/bin/python"), "-I", "-c", code]
    found = subprocess.run(python, cwd=home, capture_output=True, text=True, check=True).stdout.split()
    assert all(Path(folder).is_dir() and folder.startswith(str(home / "env/lib")) for folder in found)
    assert "split_file: ${paths.splits}/nyuv2.yaml" in tr2m(home, "train", "--cfg", "job")
    resolved = tr2m(home, "train", "--cfg", "job", "--resolve")
    assert f"split_file: {found[1]}/nyuv2.yaml" in resolved


def test_help_and_mistakes(home: Path):
    assert "predict    metric depth" in tr2m(home)
    assert "ckpt: null" in tr2m(home, "eval", "--help")
    assert "did you mean demo?" in tr2m(home, "train", "experiment=demos", returncode=2)
    assert "commands, " in tr2m(home, "tables", "plan=3")


def test_summary(home: Path):
    assert json.loads(tr2m(home, "summary", "model=tiny").splitlines()[-1])["trainable"] > 0


@pytest.mark.slow
def test_demo(home: Path):
    count = "data.datasets.{}.reader.count={{train: {}, test: 2}}"
    few = [count.format(name, 0 if name == "hall" else 8) for name in ("room", "street", "tube", "hall")]
    printed = tr2m(home, "demo", *few, *ONE_EPOCH)
    assert "single factors" in printed
    assert len(list(home.glob("outputs/demo/*/panel.png"))) == 1


@pytest.mark.slow
def test_ones_own_frames_from_training_to_a_photo(home: Path):
    trees.folder(home / "my_rooms")
    tiny = ["model=tiny", *SMALL, *ONE_EPOCH, "data.datasets.folder.reader.input_size=[28,42]"]
    tr2m(home, "data", "check", "dataset=folder", "root=my_rooms")
    tr2m(home, "train", "data=folder", "root=my_rooms", "name=mine", "run_id=1", "trainer.batch_size=2", *tiny)
    run = home / "outputs/mine/1"
    assert json.loads((run / "env.json").read_text())["git_commit"] == "unknown"
    checkpoint = "outputs/mine/1/checkpoints/last.pt"
    tr2m(home, "eval", f"ckpt={checkpoint}", "dataset=folder", "root=my_rooms", "workers=0")
    assert json.loads((run / "eval/folder.json").read_text())["n_images"] == 1
    cv2.imwrite(str(home / "photo.png"), np.full((60, 90, 3), 99, np.uint8))
    tr2m(home, "predict", "--ckpt", checkpoint, "--image", "photo.png", "--text", "a kitchen", "--input-size", "28")
    assert np.load(next(home.glob("predictions/photo*/depth.npy"))).shape == (60, 90)
    assert {path.name for path in home.iterdir()} == {".git", "env", "my_rooms", "outputs", "photo.png", "predictions"}
