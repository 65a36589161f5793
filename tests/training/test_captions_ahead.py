"""Captions are encoded before their step, on CUDA those of several steps at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
import tiny
import torch

from tr2m.build import build
from tr2m.data.mixing import StepBatches
from tr2m.models.contract import RescalingModel
from tr2m.training.loading import STEPS_AHEAD, with_captions_ahead


def loaded(count: int, events: list[str]) -> Iterator[StepBatches]:
    """Steps of two parts with a caption each."""
    for number in range(count):
        events.append(f"load {number}")
        parts = [replace(tiny.batch(size=1), captions=[f"{number}{part}"]) for part in "ab"]
        yield StepBatches(parts, [])


@pytest.mark.parametrize(("device", "ahead"), [("cuda", STEPS_AHEAD), ("cpu", 1)])
def test_captions_are_kept_before_their_steps(device: str, ahead: int):
    count = STEPS_AHEAD + 3
    events: list[str] = []
    expected: list[str] = []
    for start in range(0, count, ahead):
        window = range(start, min(start + ahead, count))
        expected += [f"load {number}" for number in window]
        expected.append("keep " + " ".join(f"{number}{part}" for number in window for part in "ab"))
        expected += [f"step {number}" for number in window]

    def keep(captions: Sequence[str]) -> None:
        events.append(f"keep {' '.join(captions)}")

    for batches, _ in with_captions_ahead(loaded(count, events), keep, torch.device(device)):
        events.append(f"step {batches[0].captions[0][:-1]}")
    assert events == expected


def rsa() -> RescalingModel:
    encoders = ("model/text_encoder=clip_tiny", "model/relative_depth=depth_anything_tiny")
    return build(tiny.config("experiment=rsa", *encoders)["model"])


@pytest.mark.parametrize(("make", "name"), [(lambda: tiny.parts()[0], "text_tokens"), (rsa, "text")])
def test_a_model_then_has_nothing_left_to_encode(
    make: Callable[[], RescalingModel], name: str, monkeypatch: pytest.MonkeyPatch
):
    model, batch = make(), tiny.batch()
    expected = model.encode(batch.image, batch.captions)
    model.text_encoder.forget()
    model.keep_captions(batch.captions)
    model.keep_captions([])
    monkeypatch.setattr(model.text_encoder, "encode", lambda captions: pytest.fail("encoded again"))
    assert torch.equal(getattr(model.encode(batch.image, batch.captions), name), getattr(expected, name))
