import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_run import Scores, differences, everything, make_trainer, record_samples
from world import Flat

from tr2m.errors import UserError
from tr2m.training.run.stop_signals import StopSignals

pytestmark = pytest.mark.longest


@pytest.mark.parametrize("mixing", ["proportional", "round_robin"])
@pytest.mark.parametrize(("split", "workers"), [(2, 0), (4, 2), (6, 0), (8, 0)])
def test_steps_resume_steps_equal_all_steps_exactly(tmp_path: Path, split: int, workers: int, mixing: str):
    """Split inside an epoch, at its edge, in the second epoch, and before nothing but the last validation. Batches of
    three, so that the partner in the contrast is random.
    """
    # Two frames start again in every epoch when they take turns with five.
    far = Flat([6, 7, 8, 9], [30] * 4, "far") if mixing == "proportional" else Flat([6, 7], [30] * 2, "far")
    changes = {"sets": [Flat([1, 2, 3, 4, 5], [48] * 5, "near"), far], "batch_size": 3, "mixing": mixing}
    whole = make_trainer(tmp_path / "whole", **changes)
    samples = record_samples(whole)
    whole.fit()
    expected = everything(whole)
    part = make_trainer(tmp_path / "parts", max_steps=split, validate_every=1 if split < 8 else 10, **changes)
    first = record_samples(part)
    part.fit()
    resumed = make_trainer(tmp_path / "parts", workers=workers, **changes)
    rest = record_samples(resumed)
    torch.manual_seed(1234)  # what a new process starts with must not matter
    resumed.resume(tmp_path / "parts/checkpoints/last.pt")
    assert resumed.progress.step == split
    resumed.fit()
    assert first + rest == samples
    assert (len(first), len(samples)) == (split, 8)
    if split < 8:
        assert differences(expected, everything(resumed)) == []


def test_validation_that_a_kill_cut_off_is_made_up_for(tmp_path: Path):
    trainer = make_trainer(tmp_path, epochs=1)
    trainer.validation = None  # the process dies here
    with pytest.raises(TypeError):
        trainer.fit()
    resumed = make_trainer(tmp_path, epochs=1)
    resumed.resume(tmp_path / "checkpoints/last.pt")
    assert len(resumed.fit()) == 2
    assert (tmp_path / "checkpoints/best.pt").exists()


def test_a_kill_right_after_the_last_step_was_saved_costs_no_validation(tmp_path: Path):
    trainer = make_trainer(tmp_path, epochs=1, save_every=1)
    with StopSignals() as signals:
        trainer.train_epoch(signals)  # and nothing of what `fit` does after it
    resumed = make_trainer(tmp_path, epochs=1)
    resumed.resume(tmp_path / "checkpoints/last.pt")
    assert len(resumed.fit()) == 2


@pytest.mark.parametrize("accumulate", [2, 3, 5])
def test_parts_of_a_batch_make_the_gradient_of_the_whole(tmp_path: Path, accumulate: int):
    """Contrast is switched off: its keys come from the part alone."""
    gradients = []
    for parts in (1, accumulate):
        trainer = make_trainer(tmp_path / str(parts), "objective.weights.contrast=0.0", batch_size=5, accumulate=parts)
        trainer.last_step = 1
        trainer.fit()
        gradients.append(torch.cat([p.grad.flatten() for p in trainer.parameters]))
    assert gradients[0].abs().max() > 0.01
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-6)


def test_one_batch_can_be_fitted(tmp_path: Path):
    dataset = Flat([2.0, 5.0], [48, 48])
    trainer = make_trainer(
        tmp_path,
        "optim.optimizer.lr=1e-2",
        "optim/schedule=one_cycle",
        sets=[dataset],
        epochs=200,
        validate_every=200,
        log_every=100,
        save_every=1000,
    )
    (evaluation,) = trainer.fit()
    # A new network predicts about 95 m.
    assert evaluation.result["metrics"]["abs_rel"] < 0.1
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
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best.pt", "last.pt", "manifest.jsonl", "step_00000005.pt", "step_00000010.pt"]
    assert json.loads((tmp_path / "status.json").read_text())["state"] == "finished"
    assert list((tmp_path / "tensorboard").iterdir())
    assert json.loads((tmp_path / "env.json").read_text())["device"].startswith("cpu")


def test_the_learning_rate_falls_by_a_tenth_each_epoch(tmp_path: Path):
    trainer = make_trainer(tmp_path, epochs=3, validate_every=10, max_steps=10)
    trainer.fit()
    assert trainer.scheduler.get_last_lr() == [pytest.approx(1e-3 * 0.9**2)]


def test_what_must_not_change_is_refused_with_the_difference(tmp_path: Path):
    make_trainer(tmp_path, max_steps=1).fit()
    source, config = tmp_path / "checkpoints/last.pt", (tmp_path / "config.yaml").read_text()
    for override, message in [
        ("model.image_encoder.seed=5", r"model.image_encoder.seed: 0 there, 5 here"),
        ("model/head@model.shift_head=zero", r"model.shift_head._target_: 'tr2m.models.heads.MapHead' there"),
        ("objective.contrast.classes=10", r"objective.contrast.classes: 20 there, 10 here"),
        ("optim.optimizer.weight_decay=0.5", r"optim.optimizer.weight_decay: 0.01 there, 0.5 here"),
        ("trainer.batch_size=4", r"trainer.batch_size: 2 there, 4 here"),
        ("augmentation=released", r"augmentation: 'none' there, 'released' here"),
        ("trainer.mixing=round_robin", r"trainer.mixing: 'proportional' there, 'round_robin' here"),
        ("trainer.clip_norm=2.0", r"trainer.clip_norm: 1.0 there, 2.0 here"),
        ("contrast.projector.hidden=4", r"contrast.projector.hidden: 8 there, 4 here"),
        ("seed=1", r"seed: 0 there, 1 here"),
    ]:
        with pytest.raises(UserError, match=message):
            make_trainer(tmp_path, override).resume(source)
    other_frames = [Flat([1, 2, 3, 4], [48] * 4, "near"), Flat([6, 7, 8, 9], [30] * 4, "far")]
    with pytest.raises(UserError, match="other frames of near"):
        make_trainer(tmp_path, sets=other_frames).resume(source)
    assert (tmp_path / "config.yaml").read_text() == config


def test_other_encoder_weights_are_refused_even_if_the_config_says_nothing(tmp_path: Path):
    make_trainer(tmp_path, max_steps=1).fit()
    other = make_trainer(tmp_path)
    other.model.fingerprints = lambda: {"image_encoder": "0" * 64}
    with pytest.raises(UserError, match="image_encoder is not the one"):
        other.resume(tmp_path / "checkpoints/last.pt")


def test_what_may_change_is_taken(tmp_path: Path):
    make_trainer(tmp_path, max_steps=5).fit()
    longer = make_trainer(tmp_path, "device=cpu", "paths.outputs=elsewhere", epochs=3, accumulate=2)
    longer.resume(tmp_path / "checkpoints/last.pt")
    longer.fit()
    assert longer.progress.step == 15


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_the_last_epoch_is_validated_even_where_it_is_not_its_turn(tmp_path: Path, epochs: int):
    evaluations = make_trainer(tmp_path, epochs=epochs, validate_every=2).fit()
    steps = {
        json.loads(line)["step"]
        for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
        if "validate" in json.loads(line)["kind"]
    }
    assert len(evaluations) == 2
    assert steps == {1: {5}, 2: {10}, 3: {10, 15}}[epochs]


@pytest.mark.parametrize(("scores", "best"), [([0.5, 0.3, 0.4], 10), ([0.3, 0.3, 0.5], 5), ([0.5, 0.4, 0.3], 15)])
def test_best_moves_only_where_the_score_falls(tmp_path: Path, scores: list[float], best: int):
    trainer = make_trainer(tmp_path, epochs=3)
    remaining = iter(scores)
    trainer.validation = Scores(remaining)
    trainer.fit()
    assert (tmp_path / "checkpoints/best.pt").resolve().name == f"step_{best:08d}.pt"
    assert trainer.progress.best == min(scores)


def test_the_seed_decides_weights_order_captions_and_what_is_random_in_a_step(tmp_path: Path):
    def start(*overrides: str) -> dict[str, Any]:
        trainer = make_trainer(tmp_path / "_".join(overrides), *overrides, epochs=1)
        seen: dict[str, Any] = {"order": [], "captions": {}, "steps": []}
        seen["weights"] = [parameter.sum().item() for parameter in trainer.parameters]
        take_step = trainer.train_step

        def step(batches):
            record = take_step(batches)
            seen["order"] += record.sample_ids
            for batch in batches:
                seen["captions"] |= dict(zip(batch.sample_ids, batch.captions, strict=True))
            seen["steps"].append(torch.initial_seed())
            return record

        trainer.train_step = step
        trainer.fit()
        return seen

    first, again, other = start("seed=0"), start("seed=0", "trainer.log_every=1"), start("seed=1")
    assert first == again
    assert all(first[what] != other[what] for what in first)
    assert len(set(first["steps"])) == 5


def test_panels_are_pictures(tmp_path: Path):
    trainer = make_trainer(tmp_path, epochs=1, panels=1)
    trainer.fit()
    assert sorted(p.name for p in (tmp_path / "panels").iterdir()) == ["far_0_epoch001.png", "near_0_epoch001.png"]


def test_pictures_and_the_tracker_never_stop_training(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    trainer = make_trainer(tmp_path, epochs=1, panels=1)
    trainer.log.__enter__()
    (tmp_path / "panels").write_text("a file where a folder is wanted")
    (tmp_path / "metrics.jsonl").mkdir()
    assert len(trainer.fit()) == 2
    assert "training continues" in caplog.text
    assert "near_0_epoch001.png" in caplog.text
    assert "metrics.jsonl failed" in caplog.text


def test_an_optimiser_that_cannot_skip_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="fused must be true"):
        make_trainer(tmp_path, "optim.optimizer.fused=false")
