import pytest
import tiny
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

from tr2m.benchmark.parts import make_trainer
from tr2m.models.compilation import compile_networks, compile_pieces
from tr2m.models.tr2m import TR2M
from tr2m.types import TR2MOutput

# Two, since following a network with all its checks of types takes long.
SIZES = [(28, 70), (42, 28)]


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
    compile_pieces(model.image_encoder, backend=counter)
    model.image_encoder(tiny.batch(height=28, width=70).image)
    torch._dynamo.reset()
    return counter.frame_count


def test_blocks_of_a_frozen_network_share_what_was_compiled_for_one():
    shallow, deep = (compiled_frames(f"model.image_encoder.architecture.depth={depth}") for depth in (1, 4))
    # Of a block and of the norm at the end; a network as a whole would be one, and compiled for each depth anew.
    assert shallow == deep == 2


def test_every_piece_of_a_network_is_compiled():
    model, _, _ = tiny.parts()
    networks = (model.image_encoder, model.relative_depth)
    pieces = [type(piece).__name__ for network in networks for piece in network.pieces()]
    layers = len(model.relative_depth.network.backbone.encoder.layer)
    depth_anything = ["Dinov2Layer"] * layers + ["DepthAnythingNeck", "DepthAnythingDepthEstimationHead"]
    assert pieces == ["Block", "LayerNorm", *depth_anything]


def test_as_many_batch_shapes_as_a_mixed_training_has_are_all_compiled():
    """Those of four training sets, their smaller last batches, and single frames in validation: more than torch's 8."""
    torch._dynamo.reset()
    model, counter = nn.ModuleDict({"decoder": nn.Linear(3, 2)}), CompileCounter()
    compile_networks(model, backend=counter)
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        for images in range(1, 13):
            model["decoder"](torch.rand(images, 3))
    assert counter.frame_count == 12
    torch._dynamo.reset()


@pytest.mark.parametrize("asked", [True, False])
def test_the_trainer_compiles_if_it_is_told_to(asked: bool, monkeypatch: pytest.MonkeyPatch):
    compiled: list[TR2M] = []
    monkeypatch.setattr("tr2m.experiment.trainer.compile_networks", compiled.append)
    settings = tiny.benchmark("what=train", "model=tiny", *tiny.SMALL, f"compile={str(asked).lower()}")
    trainer = make_trainer(settings, torch.device("cpu"), (28, 70))
    assert compiled == [trainer.model] * asked
