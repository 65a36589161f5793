import os
import resource
import zipfile
from pathlib import Path

import pytest
import torch

from tr2m.errors import UserError
from tr2m.training.run import checkpoint
from tr2m.training.run.checkpoint import damage, load_checkpoint, save_checkpoint


class Payload:
    """Unpickling this would make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Unpicklable:
    def __reduce__(self):
        raise RuntimeError("it breaks while it is written")


def test_what_is_saved_comes_back(tmp_path: Path):
    path = tmp_path / "checkpoints" / "last.pt"
    save_checkpoint(path, {"weights": {"a": torch.arange(3)}, "step": 7})
    state = load_checkpoint(path)
    assert state["step"] == 7
    assert state["weights"]["a"].tolist() == [0, 1, 2]
    assert sorted(p.name for p in path.parent.iterdir()) == ["last.pt", "manifest.jsonl"]
    assert damage(path) is None


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 1})
    with pytest.raises(RuntimeError, match="breaks while it is written"):
        save_checkpoint(path, {"step": 2, "broken": Unpicklable()})
    assert load_checkpoint(path)["step"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.pt", "manifest.jsonl"]


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path):
    """The kernel refuses to write more than so many bytes to a file: what a full disk looks like from here."""
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"last.pt cannot be written \(.*earlier ones are intact"):
            save_checkpoint(path, {"step": 2, "weights": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load_checkpoint(path)["step"] == 1
    assert damage(path) is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.pt", "manifest.jsonl"]


def test_a_disk_that_does_not_keep_what_was_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 1})
    monkeypatch.setattr(checkpoint, "write_flushed", lambda file, content: file.write_bytes(bytes(len(content))))
    with pytest.raises(UserError, match="reads back differently from what was written"):
        save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path)["step"] == 1


def test_a_compressed_archive_is_no_checkpoint(tmp_path: Path):
    """torch.save compresses nothing; a small file that unpacks to gigabytes is somebody else's."""
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weights": torch.zeros(1000)})
    with zipfile.ZipFile(path) as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=r"is compressed, which torch\.save never does"):
        load_checkpoint(path)


def test_a_flipped_bit_is_found(tmp_path: Path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weights": torch.zeros(1000)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "SHA-256" in damage(path)


def test_half_a_line_in_the_manifest_costs_nothing(tmp_path: Path):
    save_checkpoint(tmp_path / "a.pt", {"step": 1})
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write('\n{"file": "b.pt", "sha')
    save_checkpoint(tmp_path / "c.pt", {"step": 2})
    assert damage(tmp_path / "a.pt") is None
    assert damage(tmp_path / "c.pt") is None


def test_code_in_a_checkpoint_is_refused_and_does_not_run(tmp_path: Path):
    path, trap = tmp_path / "evil.pt", tmp_path / "trap"
    torch.save({"format_version": 1, "config": Payload(trap)}, path)
    with pytest.raises(UserError, match=r"evil.pt cannot be read"):
        load_checkpoint(path)
    assert not trap.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_files_that_are_no_checkpoints(tmp_path: Path, content: bytes | None):
    path = tmp_path / "last.pt"
    if content is None:
        torch.save({"weights": 1}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"last.pt"):
        load_checkpoint(path)


def test_a_truncated_checkpoint_and_a_missing_one(tmp_path: Path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weights": torch.zeros(10_000)})
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UserError, match=r"last.pt cannot be read"):
        load_checkpoint(path)
    with pytest.raises(UserError, match="no checkpoint"):
        load_checkpoint(tmp_path / "none.pt")
