"""Files that were damaged or made up: each is read correctly, or refused with a UserError, and soon."""

from __future__ import annotations

import io
import json
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tr2m.data.captions.files import CaptionFiles
from tr2m.data.decoding.arrays import read_npy
from tr2m.data.decoding.decode import open_hdf5, read_depth_units, read_rgb
from tr2m.data.readers.frame_table import read_frame_table
from tr2m.data.splits import load_split
from tr2m.errors import UserError
from tr2m.experiment.load import load_model
from tr2m.training.run.checkpoint import load_checkpoint, save_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
# Hypothesis draws seeds; each makes so many inputs, since drawing one is slower than reading one.
INPUTS_PER_SEED = 100
SECONDS = 20
fuzz = settings(max_examples=85, deadline=None, suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 2**63)
PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
DEPTH = np.random.default_rng(1).integers(0, 65536, (6, 8), dtype=np.uint16)
SPLIT = 'train:\n  groups: 2\n  frames: 8\n  members:\n    kitchen: "4, 7-9"\n    office: "1-10/3"\ntest: {}\n'
TABLE = 'image,depth,metres_per_unit,caption\na.png,b.png,0.001,"a room, small"\nc.png,d.png,0.5,a hall\n'


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """`content` cut, with bytes changed, inserted, or a stretch overwritten or repeated."""
    result = bytearray(content)
    place, length = int(random.integers(len(result))), int(random.integers(1, 40))
    match random.integers(5):
        case 0:
            del result[place:]
        case 1:
            for position in random.integers(len(result), size=random.integers(1, 8)):
                result[position] = random.integers(256)
        case 2:
            result[place:place] = random.bytes(length)
        case 3:
            result[place : place + length] = random.bytes(length)
        case 4:
            result[place:place] = result[max(0, place - length) : place] * int(random.integers(1, 5))
    return bytes(result)


def attempt(read: Callable[[Path], Any], path: Path) -> Any:
    """What `read` returns, or None for a UserError; anything else, or taking too long, fails the test."""

    def too_long(*_: Any) -> None:
        raise TimeoutError(f"reading took more than {SECONDS} s")

    previous = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        return read(path)
    except UserError:
        return None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def each_mutation(content: bytes, path: Path, read: Callable[[Path], Any], seed: int) -> list[Any]:
    """What reading gave for those inputs that were taken."""
    random = np.random.default_rng(seed)
    results = []
    for _ in range(INPUTS_PER_SEED):
        path.unlink(missing_ok=True)  # ext4 flushes a file that is truncated and written again: ten times slower
        path.write_bytes(mutated(content, random))
        results.append(attempt(read, path))
    return [result for result in results if result is not None]


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


@fuzz
@given(SEEDS)
@pytest.mark.parametrize(
    ("suffix", "read", "pixels", "checked"),
    [
        (".png", read_rgb, PICTURE, True),
        (".jpg", read_rgb, PICTURE, False),
        (".png", read_depth_units, DEPTH, True),
        (".tiff", read_depth_units, DEPTH, False),
    ],
)
def test_pictures(tmp_path: Path, suffix: str, read: Callable, pixels: np.ndarray, checked: bool, seed: int):
    """PNG has checksums: a picture that is taken is the right one. The others have none."""
    content, path = encoded(suffix, pixels), tmp_path / f"picture{suffix}"
    path.write_bytes(content)
    right = read(path)
    for result in each_mutation(content, path, read, seed):
        assert result.dtype == right.dtype
        assert result.ndim == right.ndim
        assert not checked or result.shape != right.shape or np.array_equal(result, right)


@fuzz
@given(SEEDS)
def test_arrays(tmp_path: Path, seed: int):
    buffer = io.BytesIO()
    np.save(buffer, DEPTH.astype(np.float32))
    for array in each_mutation(buffer.getvalue(), tmp_path / "a.npy", read_npy, seed):
        assert array.dtype.kind in "biuf"


@fuzz
@given(SEEDS)
def test_hdf5(tmp_path: Path, seed: int):
    def read(path: Path) -> np.ndarray:
        with open_hdf5(path, "a data set `depth`") as file:
            return file["depth"][:]

    with h5py.File(tmp_path / "right.h5", "w") as file:
        file["depth"] = DEPTH
    each_mutation((tmp_path / "right.h5").read_bytes(), tmp_path / "a.h5", read, seed)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / "right.pt"
    state = {"model": {"w": torch.arange(20.0)}, "config": {"model": {"_target_": "os.system"}}, "fingerprints": {}}
    save_checkpoint(path, state)
    return path.read_bytes()


@fuzz
@given(SEEDS)
def test_damaged_checkpoints(tmp_path: Path, checkpoint: bytes, seed: int):
    for state in each_mutation(checkpoint, tmp_path / "a.pt", load_checkpoint, seed):
        assert torch.equal(state["model"]["w"], torch.arange(20.0))
        assert state["config"] == {"model": {"_target_": "os.system"}}


@fuzz
@given(SEEDS)
def test_checkpoints_with_another_pickle_and_right_checksums(tmp_path: Path, checkpoint: bytes, seed: int):
    """What is damaged on purpose gets past the checksums: to the restricted unpickler, and to the allow-list."""
    random = np.random.default_rng(seed)
    archive = zipfile.ZipFile(io.BytesIO(checkpoint))
    records = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in records if name.endswith("data.pkl"))
    for _ in range(INPUTS_PER_SEED):
        (tmp_path / "a.pt").unlink(missing_ok=True)
        with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
            for name, content in records.items():
                file.writestr(name, mutated(content, random) if name == pickled else content)
        assert attempt(load_model, tmp_path / "a.pt") is None


@fuzz
@given(SEEDS)
def test_captions(tmp_path: Path, seed: int):
    source = CaptionFiles(tmp_path, lines_per_file=3)
    (tmp_path / "test").mkdir(exist_ok=True)
    text = "a room\n  a small röom with two chairs\n\na hall\n".encode()
    for lines in each_mutation(text, tmp_path / "test/a.txt", lambda _: source.lines("test", "a"), seed):
        assert len(lines) == 3
        assert all(line.strip() == line != "" for line in lines)


@fuzz
@given(SEEDS)
def test_splits(tmp_path: Path, seed: int):
    for frames in each_mutation(SPLIT.encode(), tmp_path / "a.yaml", lambda path: load_split(path, "train"), seed):
        assert all(isinstance(group, str) and isinstance(number, int) for group, number in frames)
        assert len(set(frames)) == len(frames)


TERMS = st.text("0123456789-/, x", max_size=20) | st.integers(-5, 10**30) | st.lists(st.none(), max_size=2)


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.text(max_size=3), TERMS, max_size=3), st.integers(-1, 9) | st.none() | st.text(max_size=2))
def test_splits_that_are_yaml(tmp_path: Path, members: dict[str, Any], frames: Any):
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps({"train": {"groups": len(members), "frames": frames, "members": members}}))
    result = attempt(lambda path: load_split(path, "train"), path)
    assert result is None or len(result) == frames


@fuzz
@given(SEEDS)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_tables_of_frames(tmp_path: Path, form: str, seed: int):
    for name in ("a.png", "b.png", "c.png", "d.png"):
        (tmp_path / name).touch()
    rows = [line.split(",", 3) for line in TABLE.splitlines()]
    lines = "\n".join(json.dumps(dict(zip(rows[0], row, strict=True))) for row in rows[1:])
    content = (TABLE if form == "csv" else lines).encode()
    for frames in each_mutation(content, tmp_path / f"train.{form}", read_frame_table, seed):
        for frame in frames:
            assert frame.image.resolve().is_relative_to(tmp_path.resolve())
            assert frame.metres_per_unit > 0
            assert frame.captions
            assert all(caption.strip() for caption in frame.captions)
