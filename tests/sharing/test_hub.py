"""A checkpoint to the hub and back: huggingface_hub's own code against a hub on 127.0.0.1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import hub_server
import pytest
import tiny
import torch
from small_run import make_trainer
from tiny import ROOT

import tr2m
from tr2m.errors import UserError
from tr2m.experiment.load import read_trained
from tr2m.experiment.released import RELEASED_NAME
from tr2m.sharing.hub import push_to_hub
from tr2m.training.run.published import publish

MAPS = """
import sys, torch, tr2m
torch.manual_seed(0)
image = torch.rand(1, 3, 28, 42)
def depth(model):
    with torch.no_grad():
        return model(image, ["a room"]).metric_depth
"""
THERE_AND_BACK = """
model = tr2m.load_model(sys.argv[1])
print(model.push_to_hub("me/rooms", licence="mit"))
again = tr2m.TR2M.from_pretrained("me/rooms")
assert torch.equal(depth(model), depth(again)) and again.input_sizes == model.input_sizes
print("the same")
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_trainer(folder, max_steps=1).fit()
    return folder / "checkpoints/last.pt"


def in_python(code: str, *arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run Python with settings that huggingface_hub reads when it is imported."""
    variables = {"HF_HOME": str(home / "hf"), "HF_TOKEN": "hf_x", "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", MAPS + code, *arguments],
        env={**os.environ, **variables, **environment},
        cwd=home,
        capture_output=True,
        text=True,
    )


def test_to_the_hub_and_back(checkpoint: Path, tmp_path: Path):
    with hub_server.serve() as (address, repositories):
        done = in_python(THERE_AND_BACK, str(checkpoint), home=tmp_path, HF_ENDPOINT=address)
        assert done.stdout.splitlines()[-1:] == ["the same"], done.stderr
        assert repositories["me/rooms"].keys() == {"README.md", "config.json", "model.safetensors"}
        assert b"license: mit" in repositories["me/rooms"]["README.md"]
        wrong = "tr2m.load_model(sys.argv[1])"
        missing = in_python(wrong, "me/other", home=tmp_path, HF_ENDPOINT=address)
        assert "UserError: no folder me/other and no hub repository of that name" in missing.stderr
    # Now nobody answers at that address: what was fetched is still there, what was not is an error in words.
    offline = {"home": tmp_path, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "1"}
    cached = in_python("print(depth(tr2m.load_model(sys.argv[1])).shape)", "me/rooms", **offline)
    assert "torch.Size([1, 28, 42])" in cached.stdout, cached.stderr
    absent = in_python(wrong, "me/absent", **offline)
    assert "UserError: me/absent is not in the hub's cache" in absent.stderr


def test_a_hub_that_cannot_be_reached(checkpoint: Path, tmp_path: Path):
    code = "tr2m.push_to_hub(sys.argv[1], 'me/rooms')"
    # A port that nothing listens at.
    done = in_python(code, str(checkpoint), home=tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert "UserError: me/rooms: the hub refused, or cannot be reached" in done.stderr


def test_a_folder_needs_no_hub(checkpoint: Path, tmp_path: Path):
    publish(read_trained(checkpoint), "x", tmp_path / "rooms", "# card")
    assert (tmp_path / "rooms/README.md").read_text() == "# card"
    batch = tiny.batch()
    models = [tr2m.load_model(checkpoint), tr2m.TR2M.from_pretrained(tmp_path / "rooms")]
    with torch.no_grad():
        one, other = (model(batch.image, batch.captions).metric_depth for model in models)
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "expected model.safetensors and config.json"),
        ("me/..x", "'me/..x' is no name of a hub repository: expected owner/name"),
        ("me/absent", "me/absent is not in the hub's cache"),
        ("a/b/c", "a/b/c"),
        ("me/absent.pt", "me/absent.pt"),
    ],
)
def test_what_is_no_checkpoint(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(UserError) as caught:
        tr2m.TR2M.from_pretrained(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_class_is_refused(checkpoint: Path):
    from tr2m.models.compared.rsa import RSA

    with pytest.raises(UserError, match="holds TR2M, not RSA: use tr2m"):
        RSA.from_pretrained(checkpoint)


def test_what_is_never_pushed(checkpoint: Path, tmp_path: Path):
    state = read_trained(checkpoint)
    publish({**state, "config": {**state["config"], "name": RELEASED_NAME}}, "x", tmp_path / "theirs")
    with pytest.raises(UserError, match="authors' weights, which have no licence"):
        push_to_hub(tmp_path / "theirs", "me/theirs")
    fresh, _, _ = tiny.parts()
    with pytest.raises(UserError, match="this model has no config"):
        fresh.push_to_hub("me/fresh")
    (tmp_path / "other.json").write_text(json.dumps({"method": "other"}))
    with pytest.raises(UserError, match="expected a result file"):
        push_to_hub(checkpoint, "me/rooms", results=[tmp_path / "other.json"])
