import pytest
import tiny
import torch
from torch._dynamo.testing import CompileCounter

from tr2m.benchmark.parts import make_trainer
from tr2m.models.compilation import compile_networks
from tr2m.models.tr2m import TR2M
from tr2m.types import TR2MOutput

SIZES = [(28, 70), (28, 42), (42, 42), (42, 28)]
# Four training sets, their smaller last batches, and single frames in validation.
BATCHES = [(count, *size) for count in (3, 2, 1) for size in SIZES]


def predict(model: TR2M, height: int, width: int) -> TR2MOutput:
    batch = tiny.batch(height=height, width=width)
    return model(batch.image, batch.captions)


def test_compiled_networks_say_the_same_and_compile_each_size_once():
    torch._dynamo.reset()
    model, _, _ = tiny.parts()
    expected = [predict(model, *size) for size in SIZES]
    names = list(model.state_dict())
    counter = CompileCounter()
    compile_networks(model, backend=counter)
    for size, output in zip(SIZES, expected, strict=True):
        torch.testing.assert_close(predict(model, *size).metric_depth, output.metric_depth)
    compiled = counter.frame_count
    assert compiled >= len(SIZES)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for size in SIZES:
            predict(model, *size)
    assert counter.frame_count == compiled
    assert list(model.state_dict()) == names
    torch._dynamo.reset()


def compiled_frames(*overrides: str) -> int:
    torch._dynamo.reset()
    model, _, _ = tiny.parts(*overrides)
    counter = CompileCounter()
    compile_networks(model, backend=counter)
    predict(model, *SIZES[0])
    torch._dynamo.reset()
    return counter.frame_count


def test_blocks_of_a_frozen_network_share_what_was_compiled_for_one():
    shallow, deep = (compiled_frames(f"model.image_encoder.architecture.depth={depth}") for depth in (1, 4))
    assert shallow == deep


def test_every_piece_of_a_network_is_compiled():
    model, _, _ = tiny.parts()
    networks = (model.image_encoder, model.relative_depth)
    pieces = [type(piece).__name__ for network in networks for piece in network.pieces()]
    layers = len(model.relative_depth.network.backbone.encoder.layer)
    depth_anything = ["Dinov2Layer"] * layers + ["DepthAnythingNeck", "DepthAnythingDepthEstimationHead"]
    assert pieces == ["Block", "LayerNorm", *depth_anything]


def test_as_many_batch_shapes_as_a_mixed_training_has_are_all_compiled():
    torch._dynamo.reset()
    model, _, _ = tiny.parts()
    counter = CompileCounter()
    compile_networks(model, backend=counter)
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        for images, height, width in BATCHES:
            grid = height // 14, width // 14
            model.decoder(torch.rand(images, grid[0] * grid[1], 16), grid)
    assert counter.frame_count >= len(BATCHES)
    torch._dynamo.reset()


@pytest.mark.parametrize("asked", [True, False])
def test_the_trainer_compiles_if_it_is_told_to(asked: bool, monkeypatch: pytest.MonkeyPatch):
    compiled: list[TR2M] = []
    monkeypatch.setattr("tr2m.experiment.trainer.compile_networks", compiled.append)
    settings = tiny.benchmark("what=train", "model=tiny", *tiny.SMALL, f"compile={str(asked).lower()}")
    trainer = make_trainer(settings, torch.device("cpu"), (28, 70))
    assert compiled == [trainer.model] * asked
