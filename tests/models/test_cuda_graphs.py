"""All of CUDA graphs but the graphs: here a recording is the function itself, run on the recording's own tensors.
tests/gpu has them as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor, nn

from tr2m.benchmark.flops import step_flops
from tr2m.benchmark.parts import make_trainer
from tr2m.models import cuda_graphs
from tr2m.models.cuda_graphs import (
    PLAIN_CALLS,
    CudaGraphs,
    GraphMemory,
    Recording,
    replay_networks,
    tensors_in,
)
from tr2m.types import FrozenFeatures, map_tensors


@dataclass
class Stage:
    """Stands in a graph's place: `replay` writes into the recording's own result."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    result: Any

    def replay(self) -> None:
        for own, new in zip(tensors_in(self.result), tensors_in(self.function(*self.arguments)), strict=True):
            own.copy_(new)


class Recorded(list[Any]):
    """The arguments of every recording."""

    added_to: Tensor = torch.zeros(0)
    """What the function adds to, which recording must leave alone."""


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Lets this machine make recordings, too."""
    made = Recorded()

    def record(function: Any, arguments: Any, memory: Any, weight: Any, device: Any) -> Recording:
        own, before = map_tensors(arguments, torch.clone), made.added_to.clone()
        result = map_tensors(function(*own), lambda tensor: torch.full_like(tensor, torch.nan))
        made.added_to.copy_(before)
        made.append(arguments)
        return Recording(Stage(function, own, result).replay, list(tensors_in(own)), result, weight)

    monkeypatch.setattr(Recording, "of", record)
    monkeypatch.setattr(CudaGraphs, "_can_replay", lambda self, device: self.recordable and not cuda_graphs._off)
    return made


def double(values: Tensor) -> Tensor:
    return 2 * values


def test_a_shape_is_recorded_when_it_has_come_back_and_each_has_its_own(recorded: Recorded):
    graphs = CudaGraphs(double, GraphMemory())
    for number in range(5):
        for size in (2, 3):
            values = torch.full((size,), float(number))
            torch.testing.assert_close(graphs(values), 2 * values)
        assert len(recorded) == (2 if number >= PLAIN_CALLS else 0)


def test_a_result_outlives_the_next_replay(recorded: Recorded):
    graphs = CudaGraphs(double, GraphMemory())
    results = [graphs(torch.tensor([float(number)])) for number in range(5)]
    assert [result.item() for result in results] == [0, 2, 4, 6, 8]


def test_further_shapes_are_computed_without_a_recording(recorded: Recorded, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda_graphs, "MAX_GRAPHS", 1)
    graphs = CudaGraphs(double, GraphMemory())
    for _ in range(4):
        for size in (2, 3):
            torch.testing.assert_close(graphs(torch.ones(size)), torch.full((size,), 2.0))
    assert len(recorded) == 1


def test_constants_and_precisions_make_other_recordings(recorded: Recorded):
    features = FrozenFeatures(
        torch.ones(1, 6, 4), (2, 3), torch.ones(1, 1, 4), torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 28, 42)
    )
    graphs = CudaGraphs(lambda given: given.image_tokens * given.grid[0], GraphMemory())
    for _ in range(4):
        assert graphs(features).max() == 2
        assert graphs(replace(features, grid=(3, 2))).max() == 3
        assert graphs(replace(features, precision=torch.bfloat16)).max() == 2
        assert graphs(replace(features, image_tokens=torch.ones(1, 6, 4, dtype=torch.float64))).dtype == torch.float64
    assert len(recorded) == 4


def test_weights_that_were_replaced_are_recorded_anew_and_changed_ones_are_read(recorded: Recorded):
    layer = nn.Linear(1, 1, bias=False).requires_grad_(False)
    graphs = CudaGraphs(layer, GraphMemory(), layer)
    for weight in (2.0, 3.0):
        layer.weight.fill_(weight)
        for _ in range(3):
            assert graphs(torch.ones(1, 1)).item() == weight
    assert len(recorded) == 1
    layer.to(torch.float64)
    for _ in range(3):
        assert graphs(torch.ones(1, 1, dtype=torch.float64)).item() == 3
    assert len(recorded) == 2
    layer.to(torch.float32)
    for _ in range(3):
        assert graphs(torch.ones(1, 1)).item() == 3
    # The first recording goes on reading the weight where it was.
    assert len(recorded) == 3


@torch.no_grad()
def test_a_model_is_replayed_in_the_precision_it_has_now(recorded: Recorded, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda_graphs, "on_cuda", lambda model: True)
    model, _, _ = tiny.parts()
    batch = tiny.batch()
    replay_networks(model)
    for precision in (torch.float32, torch.bfloat16):
        before = len(recorded)
        model.set_precision(precision)
        for _ in range(PLAIN_CALLS + 2):
            model.text_encoder.forget()
            replayed = model(batch.image, batch.captions).metric_depth
        # Image, text (a caption at a time, on a CPU), relative depth, and what is trained.
        assert len(recorded) == before + 4
        monkeypatch.setattr(cuda_graphs, "_off", [None])
        torch.testing.assert_close(replayed, model(batch.image, batch.captions).metric_depth)
        monkeypatch.setattr(cuda_graphs, "_off", [])


def test_what_cannot_be_recorded_is_called_as_it_is_and_said_so(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def refuse(*arguments: Any) -> Recording:
        recorded.append(arguments)
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(Recording, "of", refuse)
    monkeypatch.setattr(cuda_graphs, "release_generator", recorded.append)
    graphs = CudaGraphs(double, GraphMemory())
    for _ in range(5):
        assert graphs(torch.ones(1)).item() == 2
    assert len(recorded) == 2
    assert recorded[1] == torch.device("cpu")
    assert "double" in caplog.text
    assert "not permitted when stream is capturing" in caplog.text


def test_a_copy_begins_without_recordings(recorded: Recorded):
    graphs = CudaGraphs(double, GraphMemory())
    for _ in range(3):
        graphs(torch.ones(1))
    copied = deepcopy(graphs)
    assert copied(torch.ones(1)).item() == 2
    assert len(recorded) == 1


def test_elsewhere_than_on_cuda_nothing_is_recorded():
    graphs = CudaGraphs(double, GraphMemory())
    assert [graphs(torch.ones(1)).item() for _ in range(5)] == [2] * 5
    model, _, _ = tiny.parts()
    replay_networks(model)
    assert not isinstance(model.rescale, CudaGraphs)


def test_the_operations_of_a_step_are_counted_whether_or_not_it_is_replayed(recorded: Recorded):
    trainer = make_trainer(tiny.benchmark("what=train", "model=tiny", *tiny.SMALL), torch.device("cpu"), (28, 70))
    recorded.added_to = trainer.gradients.flat
    trainer.model.keep_captions(tiny.batch().captions)
    counts = [step_flops(trainer, tiny.batch()) for _ in range(PLAIN_CALLS + 2)]
    for _ in range(PLAIN_CALLS + 2):
        trainer.train_step([tiny.batch()])
    assert recorded
    assert counts == [step_flops(trainer, tiny.batch())] * len(counts)


def test_training_on_recordings_is_training(recorded: Recorded):
    """Losses and weights of steps whose last part is replayed, beside those of plain steps; two shapes in turns."""
    runs = []
    for graphs in (True, False):
        settings = tiny.benchmark("what=train", "model=tiny", *tiny.SMALL, f"cuda_graphs={str(graphs).lower()}")
        trainer = make_trainer(settings, torch.device("cpu"), (28, 70))
        assert isinstance(trainer.learn, CudaGraphs) == graphs
        recorded.added_to = trainer.gradients.flat
        batches = [tiny.batch(height=28, width=width, seed=width) for width in (70, 42)]
        losses = [trainer.train_step([batch]).terms["total"].item() for _ in range(4) for batch in batches]
        runs.append((losses, [parameter.detach().clone() for parameter in trainer.parameters]))
    assert len(recorded) == 2
    assert runs[0][0] == runs[1][0]
    torch.testing.assert_close(runs[0][1], runs[1][1])
