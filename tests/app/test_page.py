"""The app as a program talks to it: the same numbers as tr2m.predict, sentences for mistakes, nobody else asked."""

from __future__ import annotations

import base64
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import gradio
import httpx
import numpy as np
import pytest
import tiny
import trimesh
from PIL import Image

import tr2m
from tr2m.app import page, server
from tr2m.app.answer import DOWNLOADS, answer
from tr2m.app.examples import synthetic_examples
from tr2m.cli import main
from tr2m.errors import UserError
from tr2m.files import file_sha256
from tr2m.models.tr2m import TR2M

SENTENCES = ["a tiny bedroom", "a huge ballroom"]


@pytest.fixture(scope="module")
def model() -> TR2M:
    model, _, _ = tiny.parts()
    model.input_sizes, model.units = [(28, 42)], {"synthetic_room": "m", "synthetic_tube": "mm"}
    return model.eval()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a photo.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((60, 40), Image.Resampling.BICUBIC).save(path)
    return path


def test_an_answer_is_what_predict_gives(model: TR2M, photo: Path, tmp_path: Path):
    got = answer(model, photo, SENTENCES, "mm", tmp_path / "out", fov_deg=60.0, checkpoint="mine.pt")
    expected = tr2m.predict(model, photo, SENTENCES, unit="mm")
    np.testing.assert_array_equal(got.prediction.metric_depth, expected.metric_depth)
    for sentence, depth in zip(SENTENCES, got.alternatives.depths, strict=True):
        np.testing.assert_array_equal(depth, tr2m.predict(model, photo, sentence, unit="mm").metric_depth)
    assert {path.name for path in got.folder.iterdir()} >= set(DOWNLOADS)
    np.testing.assert_array_equal(np.load(got.folder / "depth.npy"), expected.metric_depth)
    facts = json.loads((got.folder / "prediction.json").read_text())
    assert (facts["unit"], facts["image"], facts["checkpoint"]) == ("mm", "a photo.jpg", "mine.pt")
    assert [caption["caption"] for caption in facts["captions"]] == SENTENCES
    assert facts["camera"] == "horizontal field of view of 60 degrees as given"
    # The scene is in metres, whatever the unit of the depth.
    depths = trimesh.load(got.folder / "points.ply").vertices[:, 2]
    assert expected.metric_depth.min() / 1001 <= depths.min() <= depths.max() <= expected.metric_depth.max() / 999
    assert got.notes == []


def test_what_a_visitor_should_know_is_noted(model: TR2M, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tr2m.points.files.SKY_SHARE", 0.0)
    got = answer(model, photo, [" ".join(["door"] * 90)], "m", tmp_path / "out")
    cut, focal, no_scene = got.notes
    assert "Cut after 77 tokens: “door door" in cut
    assert "No focal length in the photo; assumed: 26 mm" in focal
    assert "Without a 3-D view: no points: all of the picture is sky (100%)" in no_scene
    assert not (got.folder / "mesh.glb").exists()
    assert (got.folder / "depth.npy").exists()


def run(model: TR2M, *inputs: object) -> list[object]:
    """What the button's outputs are set to."""
    return next(page.Handlers(model, "mine.pt", {}).predict(*inputs))


def test_the_button_shows_the_numbers_of_predict(model: TR2M, photo: Path):
    facts, depth, *_, kept = run(model, str(photo), "\n".join(SENTENCES), "m", 0)
    expected = tr2m.predict(model, photo, SENTENCES)
    for number in expected.quantiles():
        assert f"<b>{number:,.3g} m</b>" in facts
    shown = np.frombuffer(base64.b64decode(depth["values"]), "<f4").reshape(40, 60)
    np.testing.assert_array_equal(shown, expected.metric_depth)
    first, second, difference = page.compare(kept, 1, 0)
    assert [word["text"] for word in first["words"]] == ["a", "huge", "ballroom"]
    shown = np.frombuffer(base64.b64decode(difference["values"]), "<f4").reshape(40, 60)
    depths = [tr2m.predict(model, photo, sentence).metric_depth for sentence in SENTENCES]
    np.testing.assert_allclose(shown, (depths[0] / depths[1] - 1) * 100, atol=1e-3)
    assert second["limits"] == first["limits"]


@pytest.mark.parametrize(
    ("text", "unit", "words"),
    [("", "m", "No sentence"), ("a room", "mm", "The picture is in mm, and this checkpoint does not state units")],
)
def test_a_mistake_is_a_sentence(photo: Path, text: str, unit: str, words: str):
    model, _, _ = tiny.parts()
    model.input_sizes = [(28, 42)]
    with pytest.raises(gradio.Error) as error:
        run(model.eval(), str(photo), text, unit, 0)
    assert words in error.value.message
    assert not error.value.print_exception


def test_a_name_cannot_write_into_the_page(model: TR2M, tmp_path: Path):
    (bad := tmp_path / "<b onclick=x>.png").write_text("")
    with pytest.raises(gradio.Error) as error:
        run(model, str(bad), "a room", "m", 0)
    assert "&lt;b onclick=x&gt;.png: damaged, or no picture" in error.value.message
    assert page.facts_html({"<i>": "<u>"}, ["<i>"]).count("&lt;") == 3


def test_a_comparison_that_is_no_longer_kept_is_a_sentence():
    with pytest.raises(gradio.Error, match="predict again"):
        page.compare(None, 0, 1)


def test_examples_are_of_what_the_model_was_trained_on(model: TR2M, tmp_path: Path):
    room, tube = synthetic_examples(model, tmp_path)
    assert (room.unit, tube.unit) == ("m", "mm")
    for example in (room, tube):
        one, other = example.sentences
        changed = [pair for pair in zip(one.split(), other.split(), strict=True) if pair[0] != pair[1]]
        assert len(changed) == 1
        tr2m.predict(model, example.picture, example.sentences, unit=example.unit)
    model, _, _ = tiny.parts()
    model.input_sizes = [(28, 42)]
    assert synthetic_examples(model, tmp_path) == []


def test_an_example_brings_the_relative_depth_that_its_model_cannot_estimate(tmp_path: Path):
    model, _, _ = tiny.parts("model/relative_depth=stored")
    model.input_sizes, model.units = [(28, 42)], {"synthetic_room": "m"}
    (room,) = synthetic_examples(model.eval(), tmp_path)
    handlers = page.Handlers(model, "demo.pt", {file_sha256(room.picture): room.relative_depth})
    copy = tmp_path / "uploaded.png"
    copy.write_bytes(room.picture.read_bytes())
    _, depth, *_ = next(handlers.predict(str(copy), room.sentences[0], "m", 0))
    shown = np.frombuffer(base64.b64decode(depth["values"]), "<f4").reshape(28, 42)
    expected = tr2m.predict(model, room.picture, room.sentences[0], relative_depth=room.relative_depth)
    np.testing.assert_array_equal(shown, expected.metric_depth)
    Image.new("RGB", (42, 28)).save(copy)
    with pytest.raises(gradio.Error, match="relative depth that came with its"):
        next(handlers.predict(str(copy), "a room", "m", 0))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that this process connects to, and every name that it looks up."""
    seen: list[str] = []
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def seen_look_up(host, *more, **named):
        seen.append(str(host))
        return look_up(host, *more, **named)

    def seen_connect(self, to):
        seen.append(str(to[0]))
        return connect(self, to)

    monkeypatch.setattr(socket, "getaddrinfo", seen_look_up)
    monkeypatch.setattr(socket.socket, "connect", seen_connect)
    return seen


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@pytest.fixture
def address(model: TR2M, photo: Path, asked: list[str], unused_port: int) -> Iterator[str]:
    built = page.build_page(model, "<mine>.pt", synthetic_examples(model, photo.parent))
    address, public = server.start(built, unused_port)
    assert public is None
    yield address
    built.close(verbose=False)


def test_the_page_is_on_this_machine_alone_and_asks_nobody(address: str, asked: list[str]):
    assert address.startswith("http://127.0.0.1:")
    with httpx.Client(base_url=address) as client:
        front = client.get("/")
        config = client.get("/config").json()
    assert front.status_code == 200
    assert "default-src 'self'" in front.headers["content-security-policy"]
    assert "googleapis" not in front.text
    assert "&lt;mine&gt;.pt" in json.dumps(config)
    assert config["analytics_enabled"] is False
    assert config["max_file_size"] == 20 * 1024**2
    assert "127.0.0.1" in asked
    assert set(asked) <= {"127.0.0.1", "localhost", "::1"}


def test_a_port_that_is_taken_is_a_sentence(model: TR2M, unused_port: int):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_port))
        taken.listen()
        with pytest.raises(UserError, match=rf"--port {unused_port}: .*; give another one"):
            server.start(page.build_page(model, "mine.pt"), unused_port)
    with pytest.raises(UserError, match="--port 70000"):
        server.check_port(70000)


def test_a_missing_library_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UserError, match=r"pip install 'tr2m\[app\]'"):
        main.run(["app", "--ckpt", "none.pt"])
