"""Coverage-guided fuzzing of what reads strangers' files, by hand (`pip install atheris`; not part of the suite):

python tests/atheris_readers.py -atheris_runs=100000 -max_len=512 <folder for the corpus>

An input is a byte that picks the reader, then the content of its file. Anything but a value or a UserError is a find.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tr2m"]):
    import cv2
    import numpy as np

    from tr2m.data.captions.files import CaptionFiles
    from tr2m.data.decoding.arrays import read_npy
    from tr2m.data.decoding.decode import read_depth_units, read_rgb
    from tr2m.data.readers.frame_table import read_frame_table
    from tr2m.data.splits import load_split
    from tr2m.errors import UserError
    from tr2m.training.run.checkpoint import load_checkpoint

FOLDER = Path(tempfile.mkdtemp())
READERS = (
    ("a.png", read_rgb),
    ("b.png", read_depth_units),
    ("c.npy", read_npy),
    ("d.yaml", lambda path: load_split(path, "train")),
    ("test/e.txt", lambda path: CaptionFiles(FOLDER, 2).lines("test", "e")),
    ("f.csv", read_frame_table),
    ("g.jsonl", read_frame_table),
    ("h.pt", load_checkpoint),
)


def one_input(data: bytes) -> None:
    if not data:
        return
    name, read = READERS[data[0] % len(READERS)]
    path = FOLDER / name
    path.write_bytes(data[1:])
    with contextlib.suppress(UserError):
        read(path)


def write_seeds(corpus: Path) -> None:
    """A good file for each reader, from which the fuzzer starts."""
    image = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)
    depth = np.arange(48, dtype=np.uint16).reshape(6, 8)
    array = io.BytesIO()
    np.save(array, depth)
    table = b"image,depth,metres_per_unit,caption\na.png,b.png,0.001,a room\n"
    row = b'{"image": "a.png", "depth": "b.png", "metres_per_unit": 1, "caption": ["a room", "a hall"]}\n'
    good = (
        cv2.imencode(".jpg", image)[1].tobytes(),
        cv2.imencode(".png", depth)[1].tobytes(),
        array.getvalue(),
        b'train:\n  groups: 1\n  frames: 4\n  members:\n    kitchen: "4, 7-9"\n',
        b"a room\na hall\n",
        table,
        row,
    )
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(good):
        (corpus / f"seed{number}").write_bytes(bytes([number]) + content)


if __name__ == "__main__":
    (FOLDER / "test").mkdir()
    write_seeds(Path(sys.argv[-1]))
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
