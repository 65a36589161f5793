"""What only a GPU can show. Skipped without one; tolerances are stated beside what they are for."""

from __future__ import annotations

import pytest
import tiny
import torch
from torch import Tensor

from tr2m.benchmark.parts import free_memory, make_plain_loop, make_trainer
from tr2m.benchmark.random_frames import random_batch
from tr2m.benchmark.timing import PeakMemory
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.models.cuda_graphs import PLAIN_CALLS, CudaGraphs, GraphMemory, replay_networks
from tr2m.training.seeding import seed_step
from tr2m.training.trainer import Trainer
from tr2m.types import DepthBatch

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
CUDA = torch.device("cuda")
SIZES = [(434, 560), (350, 1204), (434, 574), (224, 280)]
TERMS = ("silog", "pseudo", "contrast", "smoothness", "total")


def settings(*overrides: str) -> BenchmarkSettings:
    """The paper's model with random weights."""
    frozen = ("image_encoder", "text_encoder", "relative_depth")
    unweighted = [f"model.{name}.pretrained=false" for name in frozen]
    return tiny.benchmark("what=train", *unweighted, *overrides)


def step(trainer: Trainer, batch: DepthBatch) -> dict[str, float]:
    terms = trainer.train_step([batch]).terms
    return {name: terms[name].item() for name in TERMS}


@pytest.fixture(autouse=True)
def room():
    free_memory()


@pytest.mark.parametrize("compiled", [False, True])
def test_bfloat16_agrees_with_the_plain_float32_loop(compiled: bool):
    config = settings(f"compile={str(compiled).lower()}")
    batch = random_batch(SIZES[0], 2, CUDA)
    trainer, plain = make_trainer(config, CUDA, SIZES[0]), make_plain_loop(config, CUDA, SIZES[0])
    with torch.no_grad():
        ours = trainer.model(batch.image, batch.captions, batch.relative_depth)
        theirs = plain.rescale(plain.encode(batch))
    for name in ("scale_map", "shift_map", "metric_depth"):
        error = ((getattr(ours, name) - getattr(theirs, name)) / getattr(theirs, name)).abs()
        assert error.median() < 0.01, name
        assert error.max() < 0.1, name
    got = step(trainer, batch)
    seed_step(trainer.seed, trainer.progress.step, process=0)
    expected = plain.step(batch)
    for name in TERMS:
        assert got[name] == pytest.approx(expected[name], rel=0.02, abs=1e-3), name
    # One step of AdamW moves every weight by about the learning rate; where both are sure of the direction, alike.
    for (name, ours), theirs in zip(trainer.model.named_parameters(), plain.model.parameters(), strict=True):
        assert (ours - theirs).abs().max() <= 2.1 * config.optim.optimizer["lr"], name


@pytest.mark.parametrize("size", SIZES)
def test_a_size_is_compiled_once(size: tuple[int, int]):
    """One size each, so that no test takes long; that many sizes fit is tested without a GPU."""
    trainer = make_trainer(settings("compile=true"), CUDA, size)
    batch = random_batch(size, 2, CUDA)
    trainer.train_step([batch])
    with torch._dynamo.config.patch(error_on_recompile=True):
        trainer.train_step([batch])


def test_frozen_networks_hold_bfloat16_weights_and_agree_with_float32():
    rounded, exact = (
        make_trainer(settings(f"precision={precision}"), CUDA, SIZES[0]).model for precision in ("auto", "float32")
    )
    assert rounded.precision == torch.bfloat16
    assert rounded.fingerprints() == exact.fingerprints()
    batch = random_batch(SIZES[0], 2, CUDA)
    features, expected = (model.encode(batch.image, batch.captions) for model in (rounded, exact))
    # Random weights give a nearly flat relative depth, which overstates its error.
    for name, limit in {"image_tokens": 0.01, "text_tokens": 0.02, "relative_depth": 0.06}.items():
        error = (getattr(features, name) - getattr(expected, name)).norm() / getattr(expected, name).norm()
        assert error < limit, name


def test_a_step_never_waits_for_the_device():
    trainer = make_trainer(settings(), CUDA, SIZES[0])
    batch = random_batch(SIZES[0], 2, CUDA)
    for _ in range(PLAIN_CALLS + 1):
        trainer.train_step([batch])
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.train_step([batch])
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_batch_8_fits_into_12_gib_at_the_largest_size():
    trainer = make_trainer(settings(), CUDA, SIZES[1])
    batch = random_batch(SIZES[1], 8, CUDA)
    with PeakMemory(CUDA) as memory:
        for _ in range(2):
            trainer.train_step([batch])
    assert memory.peak < 12 * 2**30


def test_the_same_seed_gives_the_same_losses_again():
    batch = random_batch(SIZES[0], 2, CUDA)
    runs = []
    for _ in range(2):
        trainer = make_trainer(settings(), CUDA, SIZES[0])
        runs.append([step(trainer, batch) for _ in range(3)])
        del trainer
        free_memory()
    for first, second in zip(*runs, strict=True):
        # Sums that run in parallel on the device may come in another order.
        assert first == {name: pytest.approx(value, rel=1e-3, abs=1e-6) for name, value in second.items()}


def test_replayed_steps_are_the_plain_ones_shapes_in_turns():
    batches = [random_batch(size, count, CUDA) for size, count in ((SIZES[3], 2), (SIZES[0], 2), (SIZES[3], 1))]
    runs = []
    for graphs in ("true", "false"):
        toy = tiny.benchmark("what=train", "model=tiny", *tiny.SMALL, f"cuda_graphs={graphs}")
        trainer = make_trainer(toy, CUDA, SIZES[3])
        runs.append([step(trainer, batch) for _ in range(PLAIN_CALLS + 2) for batch in batches])
        if isinstance(trainer.learn, CudaGraphs):
            assert len(trainer.learn._recordings) == len(batches)
        del trainer
        free_memory()
    for replayed, plain in zip(*runs, strict=True):
        assert replayed == {name: pytest.approx(value, rel=2e-3, abs=1e-5) for name, value in plain.items()}


@torch.no_grad()
def test_replayed_predictions_are_the_plain_ones_wherever_the_model_goes():
    trainer = make_trainer(settings("cuda_graphs=false"), CUDA, SIZES[3])
    model = trainer.model.eval()
    batches = [random_batch(size, 1, CUDA) for size in (SIZES[3], SIZES[2])]

    def depths() -> list[Tensor]:
        model.text_encoder.forget()
        return [model(batch.image, batch.captions).metric_depth for batch in batches]

    expected = depths()
    replay_networks(model)
    for _ in range(PLAIN_CALLS + 2):
        for depth, exact in zip(depths(), expected, strict=True):
            torch.testing.assert_close(depth, exact, rtol=1e-3, atol=0)
    assert len(model.rescale._recordings) == len(batches)
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.testing.assert_close(depths()[0], expected[0], rtol=1e-3, atol=0)
    model.to("cpu").to(CUDA)
    for parameter in model.parameters():
        parameter.mul_(0.5)
    for _ in range(PLAIN_CALLS + 2):
        moved = depths()
    assert not torch.allclose(moved[0], expected[0], rtol=1e-3)
    vars(model)["rescale"] = model.rescale.function
    torch.testing.assert_close(depths()[0], moved[0], rtol=1e-3, atol=0)


def test_what_asks_the_device_is_not_recorded(caplog: pytest.LogCaptureFixture):
    graphs = CudaGraphs(lambda values: values * values.max().item(), GraphMemory())
    with torch.no_grad():
        for number in range(1, PLAIN_CALLS + 4):
            assert graphs(torch.full((2,), float(number), device=CUDA)).tolist() == [number**2] * 2
    assert "cannot be recorded" in caplog.text
    # What comes after it still is, and random numbers can be had.
    assert torch.rand(2, device=CUDA).isfinite().all()
    others = CudaGraphs(lambda values: values + 1, GraphMemory())
    with torch.no_grad():
        for number in range(PLAIN_CALLS + 3):
            assert others(torch.full((2,), float(number), device=CUDA)).tolist() == [number + 1] * 2
    assert len(others._recordings) == 1
