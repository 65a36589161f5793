"""A training step must not ask the device for a value: on a GPU each such question waits for all that is queued."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
from small_run import make_trainer

QUESTIONS = ("item", "tolist", "cpu", "numpy", "nonzero", "__bool__", "__float__", "__int__", "__index__")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the questions asked from here on, in a list that grows."""
    names: list[str] = []

    def watched(name: str):
        original = getattr(torch.Tensor, name)

        def ask(self, *arguments, **keywords):
            names.append(name)
            return original(self, *arguments, **keywords)

        return ask

    for name in QUESTIONS:
        monkeypatch.setattr(torch.Tensor, name, watched(name))
    return names


def test_a_training_step_asks_for_no_value(tmp_path: Path, asked: list[str]):
    trainer = make_trainer(tmp_path)
    batch = tiny.batch()
    trainer.train_step([batch])
    asked.clear()
    record = trainer.train_step([batch])
    assert asked == []
    record.terms["total"].item()
    assert asked == ["item"]
