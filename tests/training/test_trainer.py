import json
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from world import Flat

from tr2m.build import build
from tr2m.data.eval_regions import FullFrame
from tr2m.errors import UserError
from tr2m.evaluation.protocol import Protocol
from tr2m.training.run_log import RunLog
from tr2m.training.seeding import seed_everything
from tr2m.training.trainer import Trainer
from tr2m.training.validation import ValidationSet
from tr2m.training.window import NonFiniteLossError

CPU = torch.device("cpu")
PROTOCOL = Protocol("paper", "m", 1e-3, 10.0, FullFrame())


def make_trainer(folder: Path, *overrides: str, sets: list[Flat] | None = None, **changes: Any) -> Trainer:
    """The trainer of the training config on two flat worlds: batches of two, five batches an epoch."""
    settings = tiny.config("model=tiny", *tiny.SMALL, "optim.optimizer.lr=1e-3", *overrides)
    sets = sets or [Flat([1, 2, 3, 4, 5], [48] * 5, "near"), Flat([6, 7, 8, 9], [30] * 4, "far")]
    seed_everything(0)
    model = build(settings["model"])
    contrast = build(settings["contrast"], encoder=model.rescale_encoder)
    parameters = [p for module in (model, contrast) for p in module.parameters() if p.requires_grad]
    options = {
        **settings["trainer"],
        "epochs": 2,
        "batch_size": 2,
        "workers": 0,
        "log_every": 2,
        "panels": 0,
        **changes,
    }
    return Trainer(
        model=model,
        contrast=contrast,
        objective=build(settings["objective"]),
        optimizer=build(settings["optim"]["optimizer"], params=parameters),
        schedule=build(settings["optim"]["schedule"]),
        train_sets=sets,
        validation_sets=[ValidationSet(dataset, PROTOCOL, True) for dataset in sets],
        log=RunLog(folder, settings, [], CPU),
        device=CPU,
        config=settings,
        seed=0,
        **options,
    )


def everything(trainer: Trainer) -> dict[str, Any]:
    """All that a step can change, as one flat dictionary."""
    moments = {f"adam {i} {k}": v for i, s in trainer.optimizer.state_dict()["state"].items() for k, v in s.items()}
    return {
        **trainer.model.state_dict(),
        **{f"contrast.{name}": value for name, value in trainer.contrast.state_dict().items()},
        **moments,
        "lr": trainer.scheduler.get_last_lr(),
        "rng": torch.get_rng_state(),
        "progress": vars(trainer.progress),
    }


@pytest.mark.parametrize("split", [2, 5, 7])
def test_steps_resume_steps_equal_all_steps_exactly(tmp_path: Path, split: int):
    """Split inside an epoch, at its edge, and in the second epoch."""
    whole = make_trainer(tmp_path / "whole")
    whole.fit()
    make_trainer(tmp_path / "parts", max_steps=split).fit()
    resumed = make_trainer(tmp_path / "parts")
    torch.manual_seed(1234)  # what a new process starts with must not matter
    resumed.resume(tmp_path / "parts/checkpoints/last.pt")
    assert resumed.progress.step == split
    resumed.fit()
    expected, got = everything(whole), everything(resumed)
    assert expected.keys() == got.keys()
    assert whole.progress.step == 10
    for name, value in expected.items():
        same = torch.equal(value, got[name]) if isinstance(value, torch.Tensor) else value == got[name]
        assert same, name


def test_one_batch_can_be_fitted(tmp_path: Path):
    dataset = Flat([2.0, 5.0], [48, 48])
    trainer = make_trainer(
        tmp_path,
        "optim.optimizer.lr=1e-2",
        "optim/schedule=one_cycle",
        sets=[dataset],
        epochs=80,
        validate_every=80,
        log_every=100,
        save_every=1000,
    )
    (evaluation,) = trainer.fit()
    assert evaluation.result["metrics"]["abs_rel"] < 0.05
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["kind"] == "validate/flat"
    assert lines[-1]["abs_rel"] == evaluation.result["metrics"]["abs_rel"]


def test_an_epoch_logs_each_data_set_and_keeps_the_best(tmp_path: Path):
    trainer = make_trainer(tmp_path)
    evaluations = trainer.fit()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"train/near", "train/far", "validate/near", "validate/far"}
    terms = {"silog", "pseudo", "contrast", "smoothness", "total", "pseudo_gate", "grad_norm", "lr"}
    assert all(terms <= set(line) for line in lines if line["kind"].startswith("train/"))
    scores = [
        (near["abs_rel"] + far["abs_rel"]) / 2
        for near, far in zip(
            *([line for line in lines if line["kind"] == f"validate/{n}"] for n in ("near", "far")), strict=True
        )
    ]
    assert trainer.progress.best == pytest.approx(min(scores))
    assert len(evaluations) == 2
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.pt", "last.pt"]
    assert list((tmp_path / "tensorboard").iterdir())
    assert json.loads((tmp_path / "env.json").read_text())["device"].startswith("cpu")


def test_the_learning_rate_falls_by_a_tenth_each_epoch(tmp_path: Path):
    trainer = make_trainer(tmp_path, epochs=3, validate_every=10, max_steps=10)
    trainer.fit()
    assert trainer.scheduler.get_last_lr() == [pytest.approx(1e-3 * 0.9**2)]


def test_a_loss_that_is_not_finite_stops_the_run_and_saves_nothing(tmp_path: Path):
    trainer = make_trainer(tmp_path)
    with torch.no_grad():
        trainer.model.scale_head.to_logit.bias.fill_(float("nan"))
    with pytest.raises(NonFiniteLossError, match=r"step 1 \((near|far)\): silog nan.*samples (near|far)/\d"):
        trainer.fit()
    assert not (tmp_path / "checkpoints").exists()


def test_resuming_with_other_encoders_is_refused(tmp_path: Path):
    make_trainer(tmp_path, max_steps=1).fit()
    other = make_trainer(tmp_path, "model.image_encoder.seed=5")
    with pytest.raises(UserError, match="image_encoder is not the one"):
        other.resume(tmp_path / "checkpoints/last.pt")


def test_resuming_another_architecture_names_the_weights(tmp_path: Path):
    make_trainer(tmp_path, max_steps=1).fit()
    other = make_trainer(tmp_path, "model/head@model.shift_head=zero")
    with pytest.raises(UserError, match=r"unexpected shift_head.project.weight"):
        other.resume(tmp_path / "checkpoints/last.pt")


def test_panels_are_pictures(tmp_path: Path):
    trainer = make_trainer(tmp_path, epochs=1, panels=1)
    trainer.fit()
    assert sorted(p.name for p in (tmp_path / "panels").iterdir()) == ["far_0_epoch001.png", "near_0_epoch001.png"]
