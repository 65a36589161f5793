"""The main job as a user runs it: train, eval and predict as programs, and what they say to mistakes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny
import torch
from programs import forked
from tiny import ROOT

from tr2m.cli import tables
from tr2m.errors import UserError
from tr2m.experiment import compose
from tr2m.paper.tables.plan import Command
from tr2m.training.run.stop_signals import StopSignals

pytestmark = pytest.mark.longest

QUICK = (
    "data.datasets.room.reader.count={train: 8, test: 3}",
    "data.datasets.street.reader.count={train: 8, test: 3}",
    "~data.datasets.tube",
    "data.datasets.hall.reader.count={train: 0, test: 2}",
    "trainer.epochs=1",
    "trainer.validate_every=1",
    "trainer.panels=1",
)


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def fails(script: str, *arguments: str, **environment: str) -> str:
    """What the program says on its way out: one message, no traceback, exit code 2."""
    result = forked(script.removesuffix(".py"), *arguments, **environment)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run on the synthetic world."""
    outputs = tmp_path_factory.mktemp("outputs")
    result = run("train.py", "experiment=demo", "run_id=test", *QUICK, TR2M_OUTPUTS=str(outputs))
    assert result.returncode == 0, result.stderr
    assert "synthetic_room" in result.stdout
    assert "region whole frame" in result.stdout
    return outputs / "demo" / "test"


def test_a_run_leaves_what_it_promises(trained: Path):
    names = {
        "config.yaml",
        "overrides.txt",
        "env.json",
        "metrics.jsonl",
        "tensorboard",
        "checkpoints",
        "panels",
        "eval",
    }
    assert names <= {path.name for path in trained.iterdir()}
    assert {"last.pt", "best.pt"} < {path.name for path in (trained / "checkpoints").iterdir()}
    assert "experiment=demo" in (trained / "overrides.txt").read_text()
    panels = sorted(path.name for path in (trained / "panels").iterdir())
    assert panels == [f"synthetic_{name}_0_epoch001.png" for name in ("hall", "room", "street")]


def test_eval_agrees_exactly_with_the_end_of_training(trained: Path):
    counts = "dataset.reader.count={train: 8, test: 3}"
    result = run("eval.py", f"ckpt={trained}/checkpoints/last.pt", "dataset=synthetic_room", counts, "workers=0")
    assert result.returncode == 0, result.stderr
    scored = json.loads((trained / "eval" / "synthetic_room.json").read_text())
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    (validated,) = [line for line in lines if line["kind"] == "validate/synthetic_room"]
    assert scored["metrics"] == {name: validated[name] for name in scored["metrics"]}
    assert (scored["dataset"], scored["n_images"], scored["n_skipped"], scored["unit"]) == ("synthetic_room", 3, 0, "m")
    assert scored["checkpoint"].endswith("last.pt")
    assert scored["environment"]["git_commit"]
    with (trained / "eval" / "synthetic_room.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["sample_id"] for row in rows] == [f"room/test/{i:05d}" for i in range(3)]
    assert [row["unit"] for row in rows] == ["m"] * 3
    assert validated["unit"] == "m"
    assert np.mean([float(row["abs_rel"]) for row in rows]) == pytest.approx(scored["metrics"]["abs_rel"])


def test_eval_under_other_captions_keeps_the_usual_result(trained: Path):
    counts = "dataset.reader.count={train: 8, test: 3}"
    arguments = [f"ckpt={trained}/checkpoints/last.pt", "dataset=synthetic_room", counts, "workers=0"]
    result = forked("eval", *arguments, "captions=average", "protocol=all")
    assert result.returncode == 0, result.stderr
    scored = json.loads((trained / "eval" / "synthetic_room_average.json").read_text())
    assert scored["protocol"]["caption_source"].startswith("mean over all lines, synthetic world")
    assert len(scored["caption_spread"]) == scored["n_images"] == 3
    assert "it has synthetic, and all" in fails("eval.py", *arguments, "protocol=papers")


def test_a_run_never_writes_into_another_ones_folder_but_resumes_in_it(trained: Path):
    outputs = {"TR2M_OUTPUTS": str(trained.parent.parent)}
    assert "run folder" in fails("train.py", "experiment=demo", "run_id=test", *QUICK, **outputs)
    longer = [*QUICK, "trainer.epochs=2", f"resume={trained}/checkpoints/last.pt"]
    result = run("train.py", "experiment=demo", *longer, **outputs)
    assert result.returncode == 0, result.stderr
    steps = [json.loads(line)["step"] for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert max(steps) == 4
    other = fails("train.py", "experiment=demo", *longer, "trainer.batch_size=4", **outputs)
    assert "trainer.batch_size: 8 there, 4 here" in other


def test_frames_are_encoded_once_and_trained_on_from_there(tmp_path: Path):
    options = [
        "experiment=demo",
        *QUICK,
        f"cache.folder={tmp_path}/cache",
        f"paths.outputs={tmp_path}",
        "run_id=cached",
    ]
    settings = tiny.config(*options)
    with pytest.raises(UserError, match="the cache is not complete"):
        compose.build_trainer(settings, options)
    result = run("cache.py", *options)
    assert result.returncode == 0, result.stderr
    assert "image_tokens of synthetic_room: 0.0161 MB a frame" in result.stderr
    assert "16 frames" in result.stdout
    trainer = compose.build_trainer(settings, options)
    with StopSignals() as signals:
        trainer.train_epoch(signals)
    assert trainer.progress.step == 2


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "a photo.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))
    np.save(path.parent / "relative.npy", np.linspace(0.1, 1, 5400, dtype=np.float32).reshape(60, 90))
    return path


MAPS = ("--save", "depth,colour,maps")


def test_predict_writes_metres(trained: Path, photo: Path, tmp_path: Path):
    relative = ["--relative-depth", str(photo.parent / "relative.npy")]
    arguments = ["--ckpt", str(trained / "checkpoints/last.pt"), "--out", str(tmp_path), "--image", str(photo)]
    result = run("predict.py", *arguments, "--text", "a small bedroom", "--text", "a huge ballroom", *relative, *MAPS)
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "a photo"
    depth = np.load(folder / "depth.npy")
    assert depth.shape == (60, 90)
    assert depth.dtype == np.float32
    assert (depth > 0).all()
    units = json.loads((folder / "prediction.json").read_text())["png_units_per_metre"]
    png = cv2.imread(str(folder / "depth.png"), cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16
    np.testing.assert_allclose(png / units, depth, atol=0.5 / units + 1e-6)
    assert np.load(folder / "scale_map.npy").shape == np.load(folder / "shift_map.npy").shape == (60, 90)
    assert np.load(folder / "caption_spread.npy").max() > 0
    assert cv2.imread(str(folder / "depth_colour.png")).shape == (60, 90, 3)


def test_predict_reads_the_network_in_millimetres_where_the_photo_is_an_endoscopic_one(
    trained: Path, photo: Path, tmp_path: Path
):
    arguments = ["--ckpt", str(trained / "checkpoints/last.pt"), "--image", str(photo), "--text", "a colon"]
    arguments += ["--relative-depth", str(photo.parent / "relative.npy")]
    said, depth, scale, facts = {}, {}, {}, {}
    for name, options in {
        "m": [],
        "mm": ["--unit", "mm"],
        "mm in mm": ["--unit", "mm", "--save-unit", "mm"],
    }.items():
        result = forked("predict", *arguments, "--out", str(tmp_path / name), *options, *MAPS)
        assert result.returncode == 0, result.stderr
        folder = tmp_path / name / "a photo"
        said[name], facts[name] = result.stdout, json.loads((folder / "prediction.json").read_text())
        depth[name], scale[name] = np.load(folder / "depth.npy"), np.load(folder / "scale_map.npy")
    # The network says the same; what its numbers mean differs.
    np.testing.assert_allclose(depth["mm"], depth["m"] / 1000, rtol=1e-6)
    np.testing.assert_array_equal(depth["mm in mm"], depth["m"])
    np.testing.assert_allclose(scale["mm"], scale["m"] * 1000, rtol=1e-6)
    assert [facts[name]["unit"] for name in facts] == ["m", "m", "mm"]
    assert facts["mm"]["png_units_per_metre"] == facts["mm in mm"]["png_units_per_metre"]
    assert facts["mm"]["png_units_per_metre"] == pytest.approx(1000 * facts["m"]["png_units_per_metre"])
    assert [" mm (5 %" in said[name] for name in said] == [False, True, True]


def test_predict_takes_a_folder_and_tells_bad_files_at_the_end(trained: Path, photo: Path, tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.png").write_bytes(photo.read_bytes())
    (photos / "0.jpg").write_bytes(b"\xff\xd8\xff broken")
    arguments = ["--ckpt", str(trained / "checkpoints/last.pt"), "--text", "a bedroom", "--image", str(photos)]
    (tmp_path / "relative").mkdir()
    for name in ("0.npy", "1.npy"):
        (tmp_path / "relative" / name).write_bytes((photo.parent / "relative.npy").read_bytes())
    relative = ["--relative-depth", str(tmp_path / "relative"), "--out", str(tmp_path / "out")]
    message = fails("predict.py", *arguments, *relative)
    assert "0.jpg" in message
    assert (tmp_path / "out" / "1" / "depth.npy").exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"--text": "  "}, "the sentence is empty"),
        ({"--ckpt": "nowhere.pt"}, "no checkpoint nowhere.pt"),
        ({"--image": "nowhere.jpg"}, "no nowhere.jpg: expected a photo"),
        ({"--relative-depth": "nowhere.npy"}, "nowhere.npy"),
        ({}, "--relative-depth"),
    ],
)
def test_predict_says_what_is_wrong(trained: Path, photo: Path, tmp_path: Path, changes: dict[str, str], expected: str):
    arguments = {"--ckpt": str(trained / "checkpoints/last.pt"), "--image": str(photo), "--text": "a bedroom"}
    flat = [part for pair in {**arguments, **changes, "--out": str(tmp_path)}.items() for part in pair]
    assert expected in fails("predict.py", *flat)


@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        ("train.py", ["experiment=demo", "optm.optimizer.lr=1"], "did you mean optim.optimizer.lr?"),
        ("train.py", ["experiment=demo", "optim.lr=1"], "did you mean optim.optimizer.lr"),
        ("train.py", ["experiment=demo", "trainer.epochs=many"], "expected int like 4"),
        ("train.py", ["experiment=demos"], "did you mean demo?"),
        ("train.py", ["experiment=demo", "device=gpu"], "expected auto, cpu, cuda"),
        ("train.py", ["experiment=demo", "objective.pseudo.space=depths"], "space = 'depths'"),
        ("cache.py", ["experiment=demo"], "cache.folder=..."),
        ("eval.py", ["dataset=nyuv2"], "ckpt=..."),
        ("eval.py", ["ckpt=none.pt", "dataset=nyu"], "did you mean nyuv2?"),
        ("eval.py", ["ckpt=none.pt"], "dataset"),
        ("data.py", ["chek", "dataset=nyuv2"], "expected one of prepare, check, show"),
        ("data.py", ["check", "dataset=nyu"], "did you mean nyuv2?"),
        ("eval.py", ["ckpt=none.pt", "baseline=stored", "dataset=synthetic_hall"], "one of the two"),
        ("eval.py", ["baseline=stored", "alignment=global", "dataset=synthetic_hall"], "synthetic_hall has none"),
        (
            "eval.py",
            ["baseline=zoedepth", "dataset=synthetic_hall", "dataset.reader.input_size=[98, 98]"],
            "zoedepth resizes the whole frame itself",
        ),
        ("tables.py", ["table=13"], "the paper world has 1, 2"),
        ("tables.py", ["data.world=mars"], "expected one of paper, synthetic"),
        ("figures.py", ["ckpt=none.pt", "figure=6"], "expected one of 3, 4, 5, 7"),
        ("figures.py", ["ckpt=none.pt", "format=jpg"], "expected one of png, pdf"),
        ("figures.py", ["ckpt=none.pt", "compare=foo"], "compare = 'foo'"),
    ],
)
def test_mistakes_on_the_command_line(script: str, arguments: list[str], expected: str):
    assert expected in fails(script, *arguments)


def test_a_script_ends_a_mistake_as_its_command_does():
    result = run("train.py", "experiment=demos")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "did you mean demo?" in result.stderr


def test_a_baseline_leaves_the_same_kind_of_result_file(trained: Path):
    arguments = ["baseline=stored", "dataset=synthetic_room", "dataset.reader.count={train: 4, test: 3}", "workers=0"]
    outputs = str(trained.parent.parent)
    result = forked("eval", *arguments, "alignment=global", TR2M_OUTPUTS=outputs)
    assert result.returncode == 0, result.stderr
    baseline = json.loads((Path(outputs) / "stored/eval/synthetic_room_global.json").read_text())
    model = json.loads((trained / "eval/synthetic_street.json").read_text())
    assert baseline.keys() | {"seed"} == model.keys()
    assert (baseline["method"], baseline["protocol"]["alignment"]) == ("stored", "global")
    assert (baseline["precision"], model["precision"]) == ("float32", "float32")
    assert (model["method"], model["seed"], model["protocol"]["alignment"]) == ("demo", 0, "none")


def test_planned_commands_run_in_order_and_stop_at_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "PROGRAM", (sys.executable,))

    def step(code: str, needs: Path | None = None) -> Command:
        return Command(("-c", code), 0.1, tmp_path, needs)

    log = f"open({str(tmp_path / 'log')!r}, 'a').write"
    tables.run([step(f"{log}('second')", needs=tmp_path), step(f"{log}('first ')")], jobs=2)
    assert (tmp_path / "log").read_text() == "first second"
    with pytest.raises(UserError, match=r"(?s)tr2m -c 'raise SystemExit.*no depth today.*resumes"):
        tables.run([step("raise SystemExit('no depth today')"), step(f"{log}('never')", needs=tmp_path)], jobs=1)
    assert "never" not in (tmp_path / "log").read_text()


def test_missing_data_name_the_folder_the_variable_and_the_page_for_all_sets_at_once(tmp_path: Path):
    message = fails("train.py", "experiment=mixed4", "model=tiny", TR2M_DATA=str(tmp_path / "none"))
    for part in (*(f"none/captions/{name}" for name in ("nyu", "kitti", "void")), "TR2M_CAPTIONS", "docs/datasets.md"):
        assert part in message
    for name in ("nyu", "kitti", "void"):
        (tmp_path / "none/captions" / name).mkdir(parents=True)
    message = fails("train.py", "experiment=mixed4", "model=tiny", TR2M_DATA=str(tmp_path / "none"))
    for part in (*(f"none/{name}" for name in ("nyuv2", "kitti", "void", "c3vd")), "TR2M_DATA", "docs/datasets.md"):
        assert part in message


@pytest.mark.parametrize("target", ["os.system", "torch.load", "torch.hub.load", "builtins.eval", "tr2m.decode.os"])
def test_a_config_cannot_run_code(tmp_path: Path, target: str):
    message = fails("train.py", "experiment=demo", f"objective.silog._target_={target}", TR2M_OUTPUTS=str(tmp_path))
    assert target in message


def test_a_checkpoint_cannot_run_code(trained: Path, tmp_path: Path):
    state = torch.load(trained / "checkpoints/last.pt", weights_only=True)
    state["config"]["model"]["fusion"] = {"_target_": "os.system", "command": f"touch {tmp_path}/trap"}
    torch.save(state, tmp_path / "evil.pt")
    assert "os.system" in fails("eval.py", f"ckpt={tmp_path}/evil.pt", "dataset=synthetic_room")
    assert not (tmp_path / "trap").exists()


def test_an_error_in_a_data_loading_worker_is_one_message(trained: Path, tmp_path: Path):
    for name in ("captions/nyu", "nyuv2"):
        (tmp_path / name).mkdir(parents=True)
    arguments = [f"ckpt={trained}/checkpoints/last.pt", "dataset=samples_nyuv2", "workers=1"]
    result = run("eval.py", *arguments, TR2M_DATA=str(tmp_path))
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
    assert "rgb_00000.jpg" in result.stderr
