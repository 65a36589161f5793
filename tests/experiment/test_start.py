"""init_from=: what is loaded, what is new, what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from small_run import make_trainer
from world import Flat

from tr2m.errors import UserError
from tr2m.experiment.start import Start

SETS = [Flat([1.0, 2.0, 3.0], [48] * 3)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("trained")
    make_trainer(folder, "seed=5", sets=SETS, epochs=1).fit()
    return str(folder / "checkpoints/last.pt")


def start(folder: Path, checkpoint: str, *overrides: str, unit: str = "m"):
    dataset = Flat([4.0, 5.0], [48, 48])
    dataset.unit = unit
    return make_trainer(folder, *overrides, sets=[dataset], start=Start.read(checkpoint))


def test_trained_weights_are_loaded_and_nothing_else(tmp_path: Path, checkpoint: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    trained = torch.load(checkpoint, weights_only=True)
    fresh, tuned = make_trainer(tmp_path / "fresh", sets=SETS), start(tmp_path / "tuned", checkpoint)
    weights = tuned.model.state_dict()
    assert weights.keys() == trained["model"].keys()
    assert all(torch.equal(weight, trained["model"][name]) for name, weight in weights.items())
    assert any(not torch.equal(weight, fresh.model.state_dict()[name]) for name, weight in weights.items())
    # The projector is that of the seed, the momentum branch a copy of what was loaded.
    contrast = tuned.contrast.state_dict()
    assert torch.equal(contrast["projector.reduce.weight"], fresh.contrast.state_dict()["projector.reduce.weight"])
    encoder = tuned.model.rescale_encoder.state_dict()
    assert encoder
    assert all(torch.equal(contrast[f"momentum_encoder.{name}"], weight) for name, weight in encoder.items())
    assert tuned.optimizer.state_dict()["state"] == {}
    assert (tuned.progress.step, tuned.scheduler.get_last_lr()) == (0, [1e-3])
    count = sum(parameter.numel() for parameter in tuned.model.parameters())
    assert f"init_from={checkpoint}, trained at 28x42. Loaded: {count:,} weights (rescale_encoder " in caplog.text
    assert "New: optimiser, schedule, progress, projector, 244 weights (reduce 136, expand 108)" in caplog.text
    assert "the momentum branch is a copy of the loaded encoder" in caplog.text


def test_what_does_not_fit_is_refused_with_the_difference(tmp_path: Path, checkpoint: str):
    wide = ["model.text_encoder.width=24", "model.text_encoder.architecture.width=24"]
    with pytest.raises(UserError, match=r"init_from=.*last\.pt does not fit the model: rescale_encoder.* expected \("):
        start(tmp_path, checkpoint, *wide)
    with pytest.raises(UserError, match="text_encoder is not the one this checkpoint was trained on"):
        start(tmp_path, checkpoint, "model.text_encoder.seed=7")
    other = ["model=tr2m_equations", "model/image_encoder=dinov2_tiny", "model/text_encoder=clip_tiny"]
    other += ["model/relative_depth=depth_anything_tiny"]
    with pytest.raises(UserError, match=r"has weights of TR2M \(model=tr2m\), expected those of TR2M by the bare equa"):
        start(tmp_path, checkpoint, *other)
    with pytest.raises(UserError, match=r"no checkpoint nowhere\.pt"):
        start(tmp_path, "nowhere.pt")


def test_the_unit_of_the_trained_depth_must_be_known(tmp_path: Path, checkpoint: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    start(tmp_path / "noted", checkpoint, unit="mm")
    assert "note: flat is in mm, training had data sets in m only" in caplog.text
    state = torch.load(checkpoint, weights_only=True)
    del state["units"]
    torch.save(state, tmp_path / "old.pt")
    start(tmp_path / "metres", str(tmp_path / "old.pt"))
    with pytest.raises(UserError, match="flat is in mm, and this checkpoint does not state units"):
        start(tmp_path / "refused", str(tmp_path / "old.pt"), unit="mm")
