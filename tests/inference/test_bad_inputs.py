"""Every mistake ends in one message, exit code 2 and nothing written: no traceback, no half of a prediction."""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from photos import photo

from tr2m import load_model
from tr2m.cli.main import main
from tr2m.errors import UserError

# Arguments in a folder that has photo.png, photos/ with two, empty/, file, locked/, and last.pt; then what is said.
CASES = {
    "nothing": ([], "no photo: tr2m predict photo.jpg"),
    "an empty name": (["", "a room"], "no photo: tr2m predict"),
    "no sentence": (
        ["photo.png"],
        'TR2M needs a sentence about the picture: tr2m predict photo.png "a narrow kitchen"',
    ),
    "an empty sentence": (["photo.png", "  "], "the sentence is empty"),
    "an empty sentence among others": (["photo.png", "a room", "--text", ""], "the sentence is empty"),
    "a sentence without quotes": (["photo.png", "a", "narrow", "kitchen"], "put the sentence in quotes"),
    "two photos": (["photo.png", "--image", "photo.png"], "got the photo twice, photo.png and --image photo.png"),
    "key=value": (["ckpt=last.pt"], "tr2m predict takes flags, write --ckpt 'last.pt'"),
    "a missing photo": (["nowhere.jpg", "a room"], "no nowhere.jpg: expected a photo"),
    "a missing table": (["nowhere.csv"], "no file .*nowhere.csv"),
    "an empty folder": (["empty", "a room"], r"empty: no photo in this folder \(it is empty\)"),
    "text for a photo": (["text.jpg", "a room"], "text.jpg: got 9 bytes that start with"),
    "a truncated photo": (["cut.png", "a room"], "cut.png: truncated"),
    "a depth map for a photo": (["depth.tif", "a room"], "depth.tif: got a TIFF file of float32, .* no picture"),
    "an array for a photo": (["map.npy", "a room"], "map.npy: got .* expected a JPEG, PNG or TIFF"),
    "a strip": (["strip.png", "a room", "--input-size", "420"], "10x4000 .*give --input-size"),
    "a table without captions": (["columns.csv"], "expected also caption"),
    "a table of missing photos": (["rows.csv"], r"(?s)rows.csv: wrong rows:.*line 2: no file .*c.png"),
    "a sentence beside a table": (["rows.csv", "a room"], "has a sentence for each photo"),
    "out is a file": (["photo.png", "a room", "--out", "file"], "--out file: file is a file, expected a folder"),
    "out below a file": (["photo.png", "a room", "--out", "file/deep"], "file is a file, expected a folder"),
    "out is something else": (["photo.png", "a room", "--out", "."], "photo exists and is no prediction"),
    "out cannot be written": (["photo.png", "a room", "--out", "locked/out"], "cannot be written .*Make room"),
    "no such checkpoint": (["photo.png", "a room", "--ckpt", "none.pt"], "no checkpoint none.pt"),
    "a photo as the checkpoint": (["photo.png", "a room", "--ckpt", "photo.png"], "cannot be read as a checkpoint"),
    "no such kind": (["photo.png", "a room", "--save", "dept"], "'dept' is nothing to save; did you mean depth?"),
    "a camera without points": (["photo.png", "a room", "--fov-deg", "60"], "are for points and meshes"),
    "two cameras": (["photo.png", "a room", "--fov-deg", "60", "--focal-px", "9"], "not allowed with argument"),
    "an impossible angle": (["photo.png", "a room", "--fov-deg", "190", "--save", "points"], "expected 1 to 179"),
    "no focal length": (["photo.png", "a room", "--focal-px", "0", "--save", "points"], "expected a positive number"),
    "a batch of none": (["photo.png", "a room", "--batch-size", "0"], "--batch-size 0: expected at least 1"),
    "a size below a patch": (["photo.png", "a room", "--input-size", "3"], "--input-size 3: expected at least 14"),
    "NaN for relative depth": (["photo.png", "a room", "--relative-depth", "nan.npy"], "nan.npy: got values from nan"),
    "another size": (
        ["photo.png", "a room", "--relative-depth", "map.npy"],
        r"map.npy: got \(3, 4\), expected \(40, 60\)",
    ),
    "no relative depth": (["photo.png", "a room", "--relative-depth", "none.npy"], "no file none.npy"),
    "one map for two": (["photos", "a room", "--relative-depth", "map.npy"], "map.npy is one map for 2 photos"),
    "no such device": (["photo.png", "a room", "--device", "cuda:7"], "device=cuda:7"),
    "a clip of no video": (["text.mp4", "a room"], "text.mp4"),
}


@pytest.fixture
def home(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "last.pt").symlink_to(checkpoint)
    for folder in ("empty", "locked", "photo"):
        (tmp_path / folder).mkdir()
    for name in ("photo.png", "photos/a.png", "photos/b.png"):
        photo(tmp_path / name)
    photo(tmp_path / "strip.png", size=(10, 4000))
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:-40])
    for name in ("text.jpg", "text.mp4", "file"):
        (tmp_path / name).write_text("no photo\n")
    cv2.imwrite(str(tmp_path / "depth.tif"), np.ones((40, 60), np.float32))
    np.save(tmp_path / "map.npy", np.ones((3, 4)))
    np.save(tmp_path / "nan.npy", np.full((40, 60), np.nan))
    (tmp_path / "columns.csv").write_text("image,text\nphoto.png,a room\n")
    (tmp_path / "rows.csv").write_text("image,caption\nc.png,a room\n")
    (tmp_path / "locked").chmod(0o500)
    return tmp_path


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_ends_in_a_sentence(home: Path, capsys: pytest.CaptureFixture, case: str):
    arguments, words = CASES[case]
    if case == "out cannot be written" and os.access(home / "locked", os.W_OK):
        pytest.skip("this user may write anywhere")
    before = tree(home)
    given = (
        arguments if "--ckpt" in arguments or arguments[:1] == ["ckpt=last.pt"] else [*arguments, "--ckpt", "last.pt"]
    )
    with pytest.raises(SystemExit) as stopped:
        main(["predict", *given, *([] if "--device" in given else ["--device", "cpu"])])
    printed = capsys.readouterr()
    assert stopped.value.code == 2
    message = printed.err[printed.err.index("error: ") :]
    assert "Traceback" not in printed.err
    assert re.search(words, message), message
    assert tree(home) == before


def test_without_weights_the_first_command_lists_all_that_is_missing(
    home: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TR2M_WEIGHTS", str(home / "none"))
    with pytest.raises(SystemExit) as stopped:
        main(["predict", "photo.png", "a room"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    for name in ("da_s_vitl_vitl.pth", "vit_large_patch14_dinov2", "vit_large_patch14_clip", "depth-anything-small"):
        assert name in message
    assert message.count("hf download ") == 3
    assert message.count("error: ") == 1
    assert not (home / "predictions").exists()


def test_a_checkpoint_of_other_frozen_weights_is_refused(checkpoint: Path, tmp_path: Path):
    state = torch.load(checkpoint, weights_only=True)
    torch.save(state | {"fingerprints": {**state["fingerprints"], "image_encoder": "0" * 64}}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="image_encoder is not the one this checkpoint was trained on"):
        load_model(tmp_path / "other.pt")
    assert load_model(checkpoint).training is False
