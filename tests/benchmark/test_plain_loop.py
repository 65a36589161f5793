"""The plain loop is a second opinion on the training step: same weights, same frames, same numbers."""

from __future__ import annotations

from functools import partial

import pytest
import tiny
import torch
from plain_objective import PlainObjective, project

from tr2m.benchmark.parts import make_plain_loop, make_trainer
from tr2m.benchmark.plain import PlainLoop
from tr2m.benchmark.random_frames import random_batch
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.training.seeding import seed_step

CPU = torch.device("cpu")
SIZE = (56, 84)


def configured(*overrides: str) -> BenchmarkSettings:
    return tiny.benchmark("what=train", "model=tiny", *tiny.SMALL, "optim.optimizer.lr=1e-3", *overrides)


def second_opinion(settings: BenchmarkSettings) -> PlainLoop:
    """The plain loop with losses and a projector of its own."""
    plain = make_plain_loop(settings, CPU, SIZE)
    options = settings.objective
    plain.objective = PlainObjective(
        options["weights"],
        options["silog"]["variance_focus"],
        options["pseudo"]["threshold"],
        options["contrast"]["classes"],
    )
    for projector in (plain.contrast.projector, plain.contrast.momentum_projector):
        projector.forward = partial(project, projector)
    return plain


# Random depth is fitted badly: with the usual threshold the pseudo depth's gate would stay shut.
@pytest.mark.parametrize(("batch_size", "pool", "threshold"), [(1, 1, 0.1), (3, 1, 0.9), (3, 2, 0.1)])
def test_three_steps_give_the_same_losses_and_weights(batch_size: int, pool: int, threshold: float):
    settings = configured(f"contrast.projector.pool={pool}", f"objective.pseudo.threshold={threshold}")
    batch = random_batch(SIZE, batch_size, CPU)
    trainer, plain = make_trainer(settings, CPU, SIZE), second_opinion(settings)
    before = trainer.model.scale_head.mid.weight.clone()
    for _ in range(3):
        record = trainer.train_step([batch])
        # As the trainer does, so that the contrast gets the same partners.
        seed_step(trainer.seed, trainer.progress.step, process=0)
        expected = plain.step(batch)
        assert (expected["pseudo"] > 0) == (threshold < 0.9)
        for name, value in expected.items():
            assert record.terms[name].item() == pytest.approx(value, rel=1e-5, abs=1e-7), name
    assert not torch.equal(before, trainer.model.scale_head.mid.weight)
    for ours, theirs in ((trainer.model, plain.model), (trainer.contrast, plain.contrast)):
        for (name, value), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            if name.endswith("self_attention.in_proj_bias"):
                # A bias of all keys changes no softmax: its gradient is rounding, which Adam makes a step of.
                query, _, value_bias = value.chunk(3)
                value, other = torch.cat([query, value_bias]), torch.cat([other.chunk(3)[0], other.chunk(3)[2]])
            torch.testing.assert_close(value, other, rtol=1e-4, atol=1e-6, msg=name)
