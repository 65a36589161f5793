import json
import resource
from pathlib import Path

import pytest
import tiny
import torch
from small_run import make_trainer

from tr2m.errors import UserError
from tr2m.experiment.load import load_model, read_trained
from tr2m.training.run.checkpoint import load_checkpoint, save_checkpoint
from tr2m.training.run.published import publish


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_trainer(folder, max_steps=1).fit()
    return folder / "checkpoints/last.pt"


def test_a_published_folder_is_the_same_model_and_holds_no_paths(checkpoint: Path, tmp_path: Path):
    folder = tmp_path / "weights"
    publish(read_trained(checkpoint), str(checkpoint), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    batch = tiny.batch()
    with torch.no_grad():
        expected, got = (
            load_model(source)(batch.image, batch.captions).metric_depth for source in (checkpoint, folder)
        )
    assert torch.equal(expected, got)
    config = json.loads((folder / "config.json").read_text())
    assert config["config"].keys() == {"name", "seed", "model"}
    assert load_model(folder).input_sizes == load_model(checkpoint).input_sizes == [(28, 42), (28, 42)]
    with pytest.raises(UserError, match="weights exists"):
        publish(read_trained(checkpoint), str(checkpoint), folder)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "config.json").write_text("[" * 100_000), "as tr2m export writes them"),
        (
            lambda folder: (folder / "config.json").write_text("{}"),
            "has checkpoint format None, this version of tr2m reads 1 and 2",
        ),
        (lambda folder: (folder / "config.json").unlink(), "as tr2m export writes them"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"half"), "as tr2m export writes them"),
    ],
)
def test_what_is_not_a_published_folder_is_refused(checkpoint: Path, tmp_path: Path, harm, message: str):
    publish(read_trained(checkpoint), str(checkpoint), tmp_path / "weights")
    harm(tmp_path / "weights")
    with pytest.raises(UserError, match=message):
        load_model(tmp_path / "weights")


def test_a_changed_byte_is_found(checkpoint: Path, tmp_path: Path):
    publish(read_trained(checkpoint), str(checkpoint), tmp_path / "weights")
    path = tmp_path / "weights/model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is not the file that config.json describes"):
        load_model(tmp_path / "weights")


def test_a_full_disk_and_weights_that_are_no_numbers_leave_no_folder(checkpoint: Path, tmp_path: Path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"weights cannot be written \(File too large\)"):
            publish(read_trained(checkpoint), str(checkpoint), tmp_path / "weights")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    state = load_checkpoint(checkpoint)
    name = sorted(state["model"])[0]
    state["model"][name].view(-1)[0] = torch.inf
    save_checkpoint(tmp_path / "broken.pt", state)
    with pytest.raises(UserError, match=rf"broken.pt: NaN or infinity in {name}"):
        publish(read_trained(tmp_path / "broken.pt"), str(tmp_path / "broken.pt"), tmp_path / "weights")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.pt", "manifest.jsonl"]
