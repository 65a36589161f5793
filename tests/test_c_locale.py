"""Names beyond ASCII where the locale is C and Python takes nothing for UTF-8: containers, cron, some clusters."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import trees
from readers import READERS
from world import Flat

from tr2m.data.captions.files import OneSentence
from tr2m.data.captions.variants import FixedCaption
from tr2m.data.decoding.encode import write_png
from tr2m.data.file_names import in_text, on_disk
from tr2m.inference.inputs import captions_of

C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
READ_ALL = """
import sys
from pathlib import Path
from readers import READERS, opened
assert sys.getfilesystemencoding() == "ascii"
for name, reader in READERS.items():
    for split in reader.splits:
        assert opened(name, Path(sys.argv[1]) / name, split).read_frame(0).depth.any(), name
"""
WRITE = """
import sys
from pathlib import Path
import numpy as np
from tr2m.cli.main import main
from tr2m.data.decoding.encode import write_png
from tr2m.evaluation.evaluator import Evaluation
from tr2m.evaluation.report import save_evaluation
folder = Path(sys.argv[1])
write_png(folder / "panel.png", np.full((4, 5, 3), 7, np.uint8))
row = {"sample_id": "K\\u00fcche/1", "abs_rel": 0.5}
of_folder = {"sample_id": folder.name, "abs_rel": 0.5}
save_evaluation(Evaluation({"dataset": "rooms", "unit": "m"}, [row, of_folder]), folder, "rooms", {})
main(["data", "check", "dataset=folder"])
"""

FILM = """
import sys
from pathlib import Path
import tiny
from clips import room, write_clip
from tr2m.video.clip import Clip
from tr2m.video.predict import predict_clip
folder = Path(sys.argv[1])
model, _, _ = tiny.parts()
model.input_sizes = [(28, 42)]
clip = Clip.open(write_clip(folder / "clip.mp4", [room(0), room(1)]))
predict_clip(model.eval(), clip, ["a K\\udcc3\\udcbcche"], folder / "out", smooth=0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "R\u00e4ume \u65e5\u672c"
    path.mkdir()
    return path


def in_c_locale(code: str, folder: Path, **variables: str) -> str:
    """What a program prints, which has to end well."""
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env=os.environ | C | {"PYTHONPATH": paths} | variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_all_readers_read(folder: Path):
    for name, reader in READERS.items():
        (folder / name).mkdir()
        reader.tree(folder / name)
        if name == "folder":
            continue
        for split, content in reader.splits.items():
            path = folder / name / "captions" / split / f"{content.ids[0]}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("A room.\n" * 15)
    in_c_locale(READ_ALL, folder)


def test_pictures_tables_and_messages_are_written(folder: Path):
    trees.folder(folder / "folder")
    for name in ("train.csv", "test.jsonl"):
        text = (
            (folder / "folder" / name).read_text().replace("color/", "Farbe \u00e4/").replace("A kitchen", "K\u00fcche")
        )
        (folder / "folder" / name).write_text(text, encoding="utf-8")
    (folder / "folder/color").rename(folder / "folder/Farbe \u00e4")
    printed = in_c_locale(WRITE, folder, TR2M_DATA=str(folder))
    assert printed.endswith("no problems\n")
    assert "\u2588" in printed
    assert (folder / "panel.png").read_bytes()[:4] == b"\x89PNG"
    rows = (folder / "rooms.csv").read_text(encoding="utf-8")
    assert "K\u00fcche/1" in rows
    assert "R\u00e4ume" in rows


def test_the_depth_of_a_clip_names_it(folder: Path):
    in_c_locale(FILM, folder)
    with h5py.File(folder / "out/depth.h5") as file:
        assert file.attrs["clip"] == str(folder / "clip.mp4")
        assert list(file.attrs["captions"]) == ["a K\u00fcche"]


def test_a_picture_is_written_whole_or_not_at_all(folder: Path):
    path = folder / "new" / "depth.png"
    write_png(path, np.full((4, 5), 60000, np.uint16))
    assert [file.name for file in path.parent.iterdir()] == ["depth.png"]
    assert trees.cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), -1).max() == 60000


def test_sentences_are_what_they_are_elsewhere():
    """The text encoder took the bytes that the locale cannot read for unknown letters: another sentence."""
    given, meant = "a K\udcc3\udcbcche", "a K\u00fcche"
    assert captions_of(given) == [meant]
    assert OneSentence(given).sentence == meant
    assert FixedCaption(Flat([1.0], [48]), given).text == meant


def test_names_are_what_they_were_elsewhere():
    assert on_disk("Farbe \u00e4/1.jpg") == "Farbe \u00e4/1.jpg"
    assert on_disk("a\udcc3") == "a\udcc3"
    with pytest.raises(UnicodeEncodeError):
        on_disk("\ud800")
    assert in_text("Farbe \u00e4/\udcc3\udca4") == "Farbe \u00e4/\u00e4"
    assert in_text("Latin-1: \udce4") == "Latin-1: \ufffd"
