"""`tr2m predict --resume`: what is done is left alone, and results of two commands are never mixed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from photos import arguments, names, photo

from tr2m.cli.main import run
from tr2m.errors import UserError
from tr2m.inference import run as job


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The photos that reach the network, in order."""
    seen, predict = [], job.predict_together

    def counted(model, batch, settings):
        seen.extend(read.photo.name for read in batch)
        return predict(model, batch, settings)

    monkeypatch.setattr(job, "predict_together", counted)
    return seen


def test_what_is_done_is_left_alone(checkpoint: Path, tmp_path: Path, predicted: list[str], capsys):
    for name in ("a", "b", "deep/c"):
        photo(tmp_path / f"in/{name}.png")
    command = arguments(checkpoint, tmp_path / "in", tmp_path / "out", "--resume")
    run(command)
    assert predicted == ["a", "b", "deep/c"]
    # As after a kill: one is missing, of another a part is lying about.
    for file in (tmp_path / "out/deep/c").iterdir():
        file.unlink()
    (tmp_path / "out/deep/c").rmdir()
    (tmp_path / "out/deep/.c-12345678/new").mkdir(parents=True)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.npy")}
    run(command)
    assert predicted[3:] == ["deep/c"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert names(tmp_path / "out/deep") == ["c"]
    assert "1 of 3 photos predicted, 2 earlier, 0 failed" in capsys.readouterr().out
    run(command)
    assert len(predicted) == 4
    assert "0 of 3 photos predicted, 3 earlier, 0 failed" in capsys.readouterr().out


def test_a_changed_photo_and_one_without_a_file_that_is_asked_for_are_predicted_again(
    checkpoint: Path, tmp_path: Path, predicted: list[str]
):
    for name in "ab":
        photo(tmp_path / f"in/{name}.png")
    command = arguments(checkpoint, tmp_path / "in", tmp_path / "out", "--resume")
    run(command)
    facts = tmp_path / "out/a/prediction.json"
    later = facts.stat().st_mtime + 5
    os.utime(tmp_path / "in/a.png", (later, later))
    run(command)
    assert predicted[2:] == ["a"]
    run([*command, "--save", "depth"])
    os.utime(tmp_path / "in/a.png", (0, 0))
    run([*command, "--save", "depth"])
    assert predicted[3:] == ["a"]
    run([*command, "--save", "depth,maps"])
    assert predicted[4:] == ["a", "b"]
    assert (tmp_path / "out/b/scale_map.npy").is_file()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--text", "another room"], "captions was"),
        (["--input-size", "56"], "input_size was null, is 56"),
        (["--save-unit", "mm"], 'unit was "m", is "mm"'),
    ],
)
def test_results_of_two_commands_are_not_mixed(
    checkpoint: Path, tmp_path: Path, predicted: list[str], change: list[str], words: str
):
    photo(tmp_path / "in/a.png")
    command = arguments(checkpoint, tmp_path / "in", tmp_path / "out")
    run(command)
    photo(tmp_path / "in/b.png")
    with pytest.raises(UserError, match=f"(?s)--resume adds to predictions of the same command.*out/a: {words}"):
        run([*command, "--resume", *change])
    assert names(tmp_path / "out") == ["a"]
    run([*command, *change])
    assert predicted == ["a", "a", "b"]


def test_a_prediction_states_its_precision_and_none_in_another_is_added(
    checkpoint: Path, tmp_path: Path, predicted: list[str]
):
    command = arguments(checkpoint, photo(tmp_path / "a.png"), tmp_path / "out", "--resume", "--precision")
    run([*command, "float32"])
    facts = json.loads((tmp_path / "out/a/prediction.json").read_text())
    assert facts["precision"] == "float32"
    depth = np.load(tmp_path / "out/a/depth.npy")
    run([*command, "float32"])
    assert predicted == ["a"]
    with pytest.raises(UserError, match='out/a: precision was "float32", is "bfloat16"'):
        run([*command, "bfloat16"])
    command.remove("--resume")
    run([*command, "bfloat16"])
    assert not np.array_equal(np.load(tmp_path / "out/a/depth.npy"), depth)


def test_another_checkpoint_under_the_same_name_is_another_command(
    checkpoint: Path, tmp_path: Path, predicted: list[str]
):
    mine = tmp_path / "last.pt"
    mine.write_bytes(checkpoint.read_bytes())
    command = arguments(mine, photo(tmp_path / "a.png"), tmp_path / "out", "--resume")
    run(command)
    state = torch.load(mine, weights_only=True)
    torch.save(state | {"git_commit": "another"}, mine)
    with pytest.raises(UserError, match="out/a: checkpoint_sha256 was"):
        run(command)
    assert predicted == ["a"]


@pytest.mark.parametrize(("text", "words"), [("{", "cannot be read as JSON"), ('{"unit": "m"}', "an earlier version")])
def test_a_prediction_that_cannot_be_understood_is_named(checkpoint: Path, tmp_path: Path, text: str, words: str):
    image = photo(tmp_path / "a.png")
    (tmp_path / "out/a").mkdir(parents=True)
    (tmp_path / "out/a/prediction.json").write_text(text)
    with pytest.raises(UserError, match=rf"out/a/prediction.json: .*{words}"):
        run(arguments(checkpoint, image, tmp_path / "out", "--resume"))


def test_a_batch_writes_what_single_photos_write(checkpoint: Path, tmp_path: Path, capsys):
    for number, size in enumerate([(40, 60), (60, 40), (40, 60), (40, 60)]):
        photo(tmp_path / f"in/{number}.png", number, size)
    run(arguments(checkpoint, tmp_path / "in", tmp_path / "one"))
    capsys.readouterr()
    run(arguments(checkpoint, tmp_path / "in", tmp_path / "together", "--batch-size", "3"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[:4]] == ["1/4", "2/4", "3/4", "4/4"]
    assert " left: 0.png: " in lines[0]
    for name in names(tmp_path / "one"):
        one, other = (tmp_path / folder / name for folder in ("one", "together"))
        np.testing.assert_allclose(np.load(one / "depth.npy"), np.load(other / "depth.npy"), rtol=1e-4)
        facts, others = (json.loads((path / "prediction.json").read_text()) for path in (one, other))
        assert facts["captions"] == others["captions"]
        assert facts["image_size"] == others["image_size"] == list(np.load(one / "depth.npy").shape)
