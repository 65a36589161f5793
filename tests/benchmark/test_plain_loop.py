"""The plain loop is a second opinion on the training step: same weights, same frames, same numbers."""

from __future__ import annotations

import pytest
import tiny
import torch

from tr2m.benchmark.parts import make_plain_loop, make_trainer
from tr2m.benchmark.random_frames import random_batch
from tr2m.training.seeding import seed_step

CPU = torch.device("cpu")
SIZE = (28, 70)


@pytest.fixture(scope="module")
def settings() -> dict:
    return tiny.config("what=train", "model=tiny", *tiny.SMALL, "optim.optimizer.lr=1e-3", name="benchmark")


@pytest.mark.parametrize("batch_size", [1, 3])
def test_three_steps_give_the_same_losses_and_weights(settings: dict, batch_size: int):
    batch = random_batch(SIZE, batch_size, CPU)
    trainer, plain = make_trainer(settings, CPU, SIZE), make_plain_loop(settings, CPU, SIZE)
    before = trainer.model.scale_head.project.weight.clone()
    for _ in range(3):
        record = trainer.train_step([batch])
        # As the trainer does, so that the contrast gets the same partners.
        seed_step(trainer.seed, trainer.progress.step, process=0)
        expected = plain.step(batch)
        for name, value in expected.items():
            assert record.terms[name].item() == pytest.approx(value, rel=1e-5, abs=1e-7), name
    assert not torch.equal(before, trainer.model.scale_head.project.weight)
    for ours, theirs in ((trainer.model, plain.model), (trainer.contrast, plain.contrast)):
        for (name, value), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            # A bias of all keys changes no softmax: its gradient is rounding, which Adam makes a step of.
            if not name.endswith("image_key.bias"):
                torch.testing.assert_close(value, other, rtol=1e-4, atol=1e-6, msg=name)
