import os
from pathlib import Path

import pytest

from tr2m.errors import UserError
from tr2m.training.run.checkpoint_folder import CheckpointFolder
from tr2m.training.run.resume import check_same_experiment, locate_run


def run_with_checkpoint(outputs: Path, run_id: str, step: int, age: int) -> Path:
    path = CheckpointFolder(outputs / run_id / "checkpoints", 100).save(step, {})
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


def test_auto_takes_the_run_that_wrote_last_whatever_its_name_or_step(tmp_path: Path):
    run_with_checkpoint(tmp_path, "z-old", 900, age=60)
    newest = run_with_checkpoint(tmp_path, "a-new", 3, age=5)
    (tmp_path / "empty").mkdir()
    assert locate_run(tmp_path, None, "auto") == (tmp_path / "a-new", newest)


def test_auto_with_a_run_id_looks_at_no_other_run(tmp_path: Path):
    run_with_checkpoint(tmp_path, "other", 3, age=5)
    assert locate_run(tmp_path, "mine", "auto") == (tmp_path / "mine", None)
    (tmp_path / "mine").mkdir()  # started, and killed before its first checkpoint
    assert locate_run(tmp_path, "mine", "auto") == (tmp_path / "mine", None)
    path = run_with_checkpoint(tmp_path, "mine", 1, age=9)
    assert locate_run(tmp_path, "mine", "auto") == (tmp_path / "mine", path)


def test_auto_passes_over_a_run_with_nothing_but_a_damaged_checkpoint(tmp_path: Path):
    good = run_with_checkpoint(tmp_path, "old", 3, age=60)
    run_with_checkpoint(tmp_path, "new", 3, age=5).write_bytes(b"half a file")
    assert locate_run(tmp_path, None, "auto") == (tmp_path / "old", good)


def test_a_file_and_a_new_run(tmp_path: Path):
    path = run_with_checkpoint(tmp_path, "mine", 1, age=9)
    assert locate_run(tmp_path, None, str(path)) == (tmp_path / "mine", path)
    for name in ("mine/checkpoints/none.pt", "elsewhere.pt"):
        (tmp_path / "elsewhere.pt").write_bytes(path.read_bytes())
        with pytest.raises(UserError, match=r"expected a file such as outputs/<experiment>/<run>/checkpoints/last.pt"):
            locate_run(tmp_path, None, str(tmp_path / name))
    assert locate_run(tmp_path, "new", None) == (tmp_path / "new", None)
    with pytest.raises(UserError, match=r"mine exists: give another run_id, or run_id=mine resume=auto"):
        locate_run(tmp_path, "mine", None)


def test_where_data_lie_and_how_they_are_scored_may_change_what_they_are_may_not():
    reader = {"root": "a", "input_size": [28, 42], "captions": {"root": "c"}}
    config = {"seed": 0, "data": {"datasets": {"near": {"reader": reader, "protocols": {"paper": {"max_depth": 10}}}}}}
    moved = {"seed": 0, "data": {"datasets": {"near": {"reader": {**reader, "root": "b"}, "protocols": {}}}}}
    check_same_experiment(Path("last.pt"), config, moved)
    resized = {"seed": 1, "data": {"datasets": {"near": {"reader": {**reader, "input_size": [14, 14]}}}}}
    with pytest.raises(UserError) as error:
        check_same_experiment(Path("last.pt"), config, resized)
    assert "seed: 0 there, 1 here" in str(error.value)
    assert "data.datasets.near.reader.input_size: [28, 42] there, [14, 14] here" in str(error.value)


def test_where_it_started_from_may_not_change_and_null_is_as_good_as_absent():
    old = {"seed": 0, "data": {"datasets": {"folder": {"reader": {"name": "folder"}}}}}
    new = {"init_from": None, "seed": 0, "data": {"datasets": {"folder": {"reader": {"captions": None}}}}}
    new["data"]["datasets"]["folder"]["reader"]["name"] = "folder"
    check_same_experiment(Path("last.pt"), old, new)
    check_same_experiment(Path("last.pt"), new, old)
    with pytest.raises(UserError, match=r"init_from: '-' there, 'released' here"):
        check_same_experiment(Path("last.pt"), old, {**new, "init_from": "released"})
    with pytest.raises(UserError, match=r"init_from: 'released' there, None here"):
        check_same_experiment(Path("last.pt"), {**new, "init_from": "released"}, new)
