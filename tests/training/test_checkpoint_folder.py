import logging
from pathlib import Path

import pytest

from tr2m.training.run.checkpoint import load_checkpoint
from tr2m.training.run.checkpoint_folder import CheckpointFolder, newest_checkpoint


def written(folder: Path, *steps: int, keep_every: int = 100) -> CheckpointFolder:
    checkpoints = CheckpointFolder(folder, keep_every)
    for step in steps:
        checkpoints.save(step, {"step": step})
    return checkpoints


def names(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix(".pt") for path in folder.glob("*.pt"))


def test_the_newest_two_and_every_kth_are_kept_and_last_points_to_the_newest(tmp_path: Path):
    written(tmp_path, 1, 2, 3, 4, 5, 6, 7, keep_every=3)
    assert names(tmp_path) == ["last", "step_00000003", "step_00000006", "step_00000007"]
    assert load_checkpoint(tmp_path / "last.pt")["step"] == 7


def test_the_best_and_what_was_resumed_from_are_never_removed(tmp_path: Path):
    checkpoints = written(tmp_path, 1)
    checkpoints.link("best", tmp_path / "step_00000001.pt")
    resumed = CheckpointFolder(tmp_path, 100)
    resumed.save(2, {})
    resumed.source = tmp_path / "step_00000002.pt"
    for step in (3, 4, 5):
        resumed.save(step, {})
    assert names(tmp_path) == ["best", "last", *(f"step_0000000{step}" for step in (1, 2, 4, 5))]
    assert load_checkpoint(tmp_path / "best.pt")["step"] == 1


def test_a_better_one_frees_the_old_best(tmp_path: Path):
    checkpoints = written(tmp_path, 1)
    checkpoints.link("best", tmp_path / "step_00000001.pt")
    checkpoints.save(2, {})
    checkpoints.link("best", tmp_path / "step_00000002.pt")
    checkpoints.save(3, {})
    assert names(tmp_path) == ["best", "last", "step_00000002", "step_00000003"]


@pytest.mark.parametrize("harm", ["truncated", "empty", "flipped", "unlisted"])
def test_a_damaged_one_is_passed_over_and_named(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture):
    written(tmp_path, 1, 2)
    newest = tmp_path / "step_00000002.pt"
    content = newest.read_bytes()
    if harm == "unlisted":
        newest.rename(tmp_path / "step_00000009.pt")
    else:
        newest.write_bytes({"truncated": content[:-100], "empty": b"", "flipped": b"X" + content[1:]}[harm])
    with caplog.at_level(logging.WARNING):
        assert newest_checkpoint(tmp_path).name == "step_00000001.pt"
    assert ("step_00000009.pt" if harm == "unlisted" else "step_00000002.pt") in caplog.text


def test_no_checkpoint_at_all(tmp_path: Path):
    assert newest_checkpoint(tmp_path) is None
    (tmp_path / "step_00000003.pt.tmp-77").write_bytes(b"half")
    (tmp_path / "step_x.pt").write_bytes(b"")
    assert newest_checkpoint(tmp_path / "none") is None
    assert newest_checkpoint(tmp_path) is None
    written(tmp_path, 4)
    assert names(tmp_path) == ["last", "step_00000004", "step_x"]
    assert not list(tmp_path.glob("*.tmp-*"))


def test_a_failed_removal_does_not_stop_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    checkpoints = written(tmp_path, 3)
    (tmp_path / "step_00000001.pt").mkdir()  # unlink refuses a folder
    for step in (4, 5):
        checkpoints.save(step, {})
    assert newest_checkpoint(tmp_path).name == "step_00000005.pt"
    assert "step_00000001.pt failed, training continues" in caplog.text
