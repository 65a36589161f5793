"""`tr2m predict`: what it writes, what it leaves out, and what is left when it is stopped."""

from __future__ import annotations

import hashlib
import json
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from photos import arguments, names, photo

from tr2m.cli.main import main, run
from tr2m.data.eval_regions import FullFrame
from tr2m.data.readers.folder import Folder
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import EvaluationSet, ModelMethod, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.evaluation.saved_predictions import SavedPredictions
from tr2m.experiment.load import load_model
from tr2m.inference import files, predict

FILES = ["depth.npy", "depth.png", "depth_colour.png", "prediction.json"]
MAPS = [f"{name}{end}" for name in ("caption_spread", "scale_map", "shift_map") for end in (".npy", "_colour.png")]


def test_the_files_of_one_photo(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    image, long = photo(tmp_path / "käse.jpg"), " ".join(["door"] * 90)
    run(arguments(checkpoint, image, tmp_path / "out", "--text", long, "--input-size", 56))
    folder = tmp_path / "out/käse"
    assert names(tmp_path / "out") == ["käse"]
    assert names(folder) == FILES
    facts = json.loads((folder / "prediction.json").read_text())
    assert facts["checkpoint"] == str(checkpoint)
    assert facts["checkpoint_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert (facts["input_size"], facts["image_size"]) == (56, [40, 60])
    assert facts["saved"] == ["colour", "depth"]
    depth = np.load(folder / "depth.npy")
    units = facts["png_units_per_metre"]
    # The largest power of ten that fits: one more would not.
    assert math_log10(units) == int(math_log10(units))
    assert depth.max() * units <= 65535 < depth.max() * units * 10
    png = cv2.imread(str(folder / "depth.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(png, depth * units, atol=0.51)
    assert facts["unit"] == "m"
    assert facts["network_size"] == [56, 84]
    assert facts["nonfinite_pixels"] == 0
    assert [(c["tokens"], c["cut"]) for c in facts["captions"]] == [(4, False), (92, True)]
    assert facts["image"] == str(image)
    expected = np.quantile(depth, [0.05, 0.5, 0.95])
    np.testing.assert_allclose(list(facts["depth_quantiles"].values()), expected, rtol=1e-5)


def math_log10(value: float) -> float:
    return float(np.log10(value).round(9))


def test_photos_that_differ_in_their_ending_only_have_a_folder_each(checkpoint: Path, tmp_path: Path):
    for name in ("a.jpg", "a.png", "b.JPG"):
        photo(tmp_path / "in" / name, seed=len(name))
    run(arguments(checkpoint, tmp_path / "in", tmp_path / "out"))
    assert names(tmp_path / "out") == ["a.jpg", "a.png", "b"]
    first, second = (np.load(tmp_path / "out" / name / "depth.npy") for name in ("a.jpg", "a.png"))
    assert (first != second).any()


def test_what_is_left_out_is_named(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    photo(tmp_path / "in/a.png")
    (tmp_path / "in/more").mkdir()
    for name in ("b.gif", "c.mp4", "more/d.mp4", "more/notes", ".hidden.txt"):
        (tmp_path / "in" / name).write_bytes(b"")
    run(arguments(checkpoint, tmp_path / "in", tmp_path / "out"))
    left_out = "left out 4 files that are no photos: 1 .gif (b.gif), 2 .mp4 (c.mp4, d.mp4), 1 no ending (notes)\n"
    assert left_out in capsys.readouterr().err
    (tmp_path / "in/a.png").unlink()
    with pytest.raises(
        UserError, match=r"no photo in this folder \(there are 1 .gif .*\); expected files ending in .jpg"
    ):
        run(arguments(checkpoint, tmp_path / "in", tmp_path / "out"))


def test_each_photo_has_its_own_relative_depth(checkpoint: Path, tmp_path: Path):
    for name, value in (("a", 1.0), ("b", 100.0)):
        photo(tmp_path / f"in/{name}.png", size=(40, 60))
        (tmp_path / "relative").mkdir(exist_ok=True)
        np.save(tmp_path / f"relative/{name}.npy", np.full((40, 60), value))
    relative = ("--relative-depth", tmp_path / "relative")
    run(arguments(checkpoint, tmp_path / "in", tmp_path / "out", *relative))
    far, near = (np.load(tmp_path / f"out/{name}/depth.npy") for name in "ab")
    assert (near < far).all()
    with pytest.raises(UserError, match=r"a.npy is one map for 2 photos: expected a folder"):
        run(arguments(checkpoint, tmp_path / "in", tmp_path / "out", "--relative-depth", tmp_path / "relative/a.npy"))
    (tmp_path / "relative/b.npy").unlink()
    with pytest.raises(UserError, match=r"no relative depth for 1 of 2 photos, expected b.npy"):
        run(arguments(checkpoint, tmp_path / "in", tmp_path / "out", *relative))
    np.save(tmp_path / "relative/b.npy", np.full((40, 60), 1e300))
    with pytest.raises(UserError, match=r"in/b.png: .*relative/b.npy: got values from 1e\+300"):
        run(arguments(checkpoint, tmp_path / "in", tmp_path / "out", *relative))


def test_one_bad_photo_does_not_cost_the_others(checkpoint: Path, tmp_path: Path):
    photo(tmp_path / "in/a.png", size=(1, 20_000))
    (tmp_path / "in/b.jpg").write_bytes(b"\xff\xd8\xff broken")
    photo(tmp_path / "in/c.png")
    with pytest.raises(UserError, match=r"(?s)in/a.png: image of 1x20000.*--input-size.*in/b.jpg: truncated"):
        run(arguments(checkpoint, tmp_path / "in", tmp_path / "out"))
    assert names(tmp_path / "out") == ["c"]


def test_what_is_no_prediction_is_not_written_over_and_an_earlier_one_is_replaced(checkpoint: Path, tmp_path: Path):
    image = photo(tmp_path / "a.png")
    (tmp_path / "file").write_text("mine")
    for out in ("file", "file/deeper"):
        with pytest.raises(UserError, match=r"--out .*: .*file is a file, expected a folder"):
            run(arguments(checkpoint, image, tmp_path / out))
    (tmp_path / "out/a").mkdir(parents=True)
    (tmp_path / "out/a/thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"out/a exists and is no prediction"):
        run(arguments(checkpoint, image, tmp_path / "out"))
    assert (tmp_path / "file").read_text() == (tmp_path / "out/a/thesis.tex").read_text() == "mine"
    (tmp_path / "out/a/thesis.tex").rename(tmp_path / "out/a/prediction.json")
    (tmp_path / "out/a/old.npy").write_text("")
    run(arguments(checkpoint, image, tmp_path / "out"))
    assert names(tmp_path / "out/a") == FILES
    assert names(tmp_path / "out") == ["a"]


def test_a_full_disk_is_an_error_in_words_and_leaves_nothing(checkpoint: Path, tmp_path: Path):
    """The kernel refuses to write more than so many bytes to a file: what a full disk looks like from here."""
    image = photo(tmp_path / "in/a.png", size=(140, 210))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"out/a cannot be written \(.*\)\. Make room"):
            run(arguments(checkpoint, image, tmp_path / "out"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path / "out") == []


def test_ctrl_c_leaves_whole_predictions_only(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in "ab":
        photo(tmp_path / f"in/{name}.png")
    written, write = [], files.write_png

    def interrupted(path: Path, picture: np.ndarray) -> None:
        written.append(path.name)
        if len(written) == 3:
            raise KeyboardInterrupt
        write(path, picture)

    monkeypatch.setattr(files, "write_png", interrupted)
    with pytest.raises(SystemExit) as stopped:
        main(arguments(checkpoint, tmp_path / "in", tmp_path / "out"))
    assert stopped.value.code == 130
    assert names(tmp_path / "out") == ["a"]
    assert names(tmp_path / "out/a") == FILES


def test_predictions_are_scored_like_the_model_itself(checkpoint: Path, tmp_path: Path):
    """tr2m predict, then tr2m eval baseline=folder, against tr2m eval ckpt=...: the same numbers."""
    rows = ["image,depth,metres_per_unit,caption"]
    for number in range(3):
        photo(tmp_path / f"data/rgb/{number}.png", number)
        depth = np.random.default_rng(number).integers(500, 9000, (40, 60)).astype(np.uint16)
        (tmp_path / f"data/depth{number}.png").write_bytes(cv2.imencode(".png", depth)[1])
        rows.append(f"rgb/{number}.png,depth{number}.png,0.001,a room")
    (tmp_path / "data/test.csv").write_text("\n".join(rows) + "\n")
    dataset = Folder(name="mine", root=tmp_path / "data", split="test", input_size=(28, 42), depth_range=(1e-3, 10.0))
    entry = EvaluationSet(dataset, Protocol("own", 1e-3, 10.0, FullFrame()))
    (expected,) = evaluate(ModelMethod(load_model(checkpoint)), [entry], torch.device("cpu"), 0)
    run(arguments(checkpoint, tmp_path / "data/rgb", tmp_path / "out/rgb"))
    method = SavedPredictions(str(tmp_path / "out"), "metric_depth", units_per_metre=17.0)
    method.check(dataset)
    (scored,) = evaluate(method, [entry], torch.device("cpu"), 0)
    assert scored.result == expected.result
    assert scored.rows == expected.rows
    facts = tmp_path / "out/rgb/1/prediction.json"
    facts.write_text(facts.read_text().replace('"unit": "m"', '"unit": "mm"'))
    np.save(facts.with_name("depth.npy"), np.load(facts.with_name("depth.npy")) * 1000)
    (scored,) = evaluate(method, [entry], torch.device("cpu"), 0)
    assert scored.result["metrics"] == pytest.approx(expected.result["metrics"], rel=1e-5)
    for text in ("{", "[]", '{"unit": "ft"}'):
        facts.write_text(text)
        with pytest.raises(UserError, match=r"prediction.json: expected what tr2m predict writes, with the unit"):
            method.read(facts.with_name("depth.npy"))
    with pytest.raises(UserError, match="is metric depth: leave out"):
        SavedPredictions(str(tmp_path / "out"), "relative_depth").read(facts.with_name("depth.npy"))


def test_a_map_with_holes_is_written_with_their_number(checkpoint: Path, tmp_path: Path):
    model = load_model(checkpoint)
    prediction = predict.predict(model, photo(tmp_path / "a.png"), "a room")
    prediction.metric_depth[:2, 0] = [np.nan, np.inf]
    folder = files.save_prediction(prediction, tmp_path / "a")
    facts = json.loads((folder / "prediction.json").read_text(), parse_constant=pytest.fail)
    assert facts["nonfinite_pixels"] == 2
    assert cv2.imread(str(folder / "depth.png"), cv2.IMREAD_UNCHANGED)[:2, 0].tolist() == [0, 0]
    assert cv2.imread(str(folder / "depth_colour.png"))[:2, 0].tolist() == [[0, 0, 0], [0, 0, 0]]


def test_only_what_is_asked_for_is_written(checkpoint: Path, tmp_path: Path):
    run(arguments(checkpoint, photo(tmp_path / "a.png"), tmp_path / "out", "--save", "depth"))
    assert names(tmp_path / "out/a") == ["depth.npy", "depth.png", "prediction.json"]
    run(arguments(checkpoint, tmp_path / "a.png", tmp_path / "out", "--save", "maps,colour"))
    assert names(tmp_path / "out/a") == sorted([*MAPS, "depth_colour.png", "prediction.json"])


def test_points_and_mesh_of_a_photo(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    trimesh = pytest.importorskip("trimesh")
    image, saved = photo(tmp_path / "a.png"), ("--save", "depth,points,mesh")
    run(arguments(checkpoint, image, tmp_path / "out", *saved))
    assert "1 of 1 photos have no focal length, assumed: 26 mm" in capsys.readouterr().err
    run(arguments(checkpoint, image, tmp_path / "out", *saved, "--fov-deg", 90))
    assert capsys.readouterr().err.count("assumed") == 0
    folder = tmp_path / "out/a"
    assert names(folder) == ["depth.npy", "depth.png", "mesh.glb", "points.ply", "prediction.json"]
    facts, depth = json.loads((folder / "prediction.json").read_text()), np.load(folder / "depth.npy")
    # Half of the photo's 60 columns, by tan(45 degrees) = 1.
    assert facts["focal_px"] == pytest.approx(30)
    assert facts["axes"].startswith("x right, y down, z forward, in metres")
    x, y, z = trimesh.load(folder / "points.ply").vertices.T
    columns, rows = 30 * x / z + 29.5, 30 * y / z + 19.5
    assert np.abs(columns - columns.round()).max() < 0.01
    np.testing.assert_allclose(z, depth[rows.round().astype(int), columns.round().astype(int)], rtol=1e-5)
    share = len(z) / depth.size
    assert share == pytest.approx(1 - facts["left_out"]["sky"] - facts["left_out"]["edge"])


def test_a_scene_without_a_point_leaves_nothing(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tr2m.points.files.SKY_SHARE", 0.0)
    with pytest.raises(UserError, match=r"no points: all of the picture is sky \(100%\)"):
        run(arguments(checkpoint, photo(tmp_path / "a.png"), tmp_path / "out", "--save", "points"))
    assert not (tmp_path / "out/a").exists()
