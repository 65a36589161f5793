"""No NaN and no infinity leaves without a word: not in weights, not in results, not in JSON."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path

import pytest
import tiny
import torch
from small_run import make_trainer
from tiny import ROOT
from torch import nn
from transformers import AutoConfig, AutoModelForDepthEstimation
from world import Flat

from tr2m.build import build
from tr2m.data.eval_regions import FullFrame
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.evaluation.report import format_protocol
from tr2m.json_text import json_text
from tr2m.models.frozen.frozen_module import FrozenModule
from tr2m.training.run.checkpoint import load_checkpoint, load_weights, save_checkpoint
from tr2m.types import DepthBatch


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_trained_weight_is_refused_by_name(value: float):
    model, _, _ = tiny.parts()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    name = sorted(state)[3]
    state[name].view(-1)[-1] = value
    before = model.state_dict()[name].clone()
    with pytest.raises(UserError, match=rf"last\.pt: NaN or infinity in {name}\. "):
        load_weights(model, state, "last.pt")
    assert torch.equal(model.state_dict()[name], before)


def test_a_frozen_weight_is_refused_by_name_and_an_infinite_mask_is_not():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network.register_buffer("causal_mask", torch.full((2, 2), -math.inf))
    FrozenModule(network)
    broken = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    nn.init.constant_(broken[1].bias, math.inf)
    with pytest.raises(UserError, match=r"FrozenModule: NaN or infinity in 1\.bias\."):
        FrozenModule(broken)


def test_a_weight_that_training_starts_from_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = tiny.config("experiment=da_single")["model"]
    config |= {"architecture": tiny.config("model=tiny")["model"]["relative_depth"]["architecture"]}
    network = AutoModelForDepthEstimation.from_config(AutoConfig.for_model(**config["architecture"]))
    nn.init.constant_(network.head.conv1.bias, math.nan)
    network.save_pretrained(tmp_path / config["repo_id"])
    monkeypatch.setenv("TR2M_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match=rf"{config['repo_id']}: NaN or infinity in head\.conv1\.bias\."):
        build({**config, "pretrained": True})


def test_a_moment_of_the_optimiser_is_refused(tmp_path: Path):
    make_trainer(tmp_path, max_steps=1).fit()
    source = tmp_path / "checkpoints/last.pt"
    state = load_checkpoint(source)
    state["optimizer"]["state"][2]["exp_avg"].view(-1)[0] = math.nan
    save_checkpoint(source, state)
    with pytest.raises(UserError, match=r"optimizer state of parameter 2\): NaN or infinity in exp_avg"):
        make_trainer(tmp_path).resume(source)


class PartlyNonFinite:
    """Right, but for three pixels of every frame."""

    kind = "metric_depth"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        depth = batch.depth.clone()
        depth[0, 0, :3] = torch.tensor([math.nan, math.inf, -math.inf])
        return depth


def test_non_finite_pixels_are_counted_in_the_result():
    scored = EvaluationSet(Flat([2.0, 4.0, 5.0], [48, 48, 5]), Protocol("paper", 1e-3, 10.0, FullFrame()))
    (evaluation,) = evaluate(PartlyNonFinite(), [scored], torch.device("cpu"), 0)
    assert evaluation.result["nonfinite_pixels"] == 6
    assert [row["nonfinite_pixels"] for row in evaluation.rows] == [3, 3]
    assert "6 predicted pixels are NaN or infinite" in format_protocol(evaluation.result)
    assert evaluation.result["metrics"]["abs_rel"] > 0


def test_json_has_words_for_what_is_no_number():
    text = json_text({"a": [math.nan, (1.5, -math.inf)], "b": {"c": math.inf}, "d": True})
    refuse = lambda constant: pytest.fail(constant)  # noqa: E731
    assert json.loads(text, parse_constant=refuse) == {"a": ["nan", [1.5, "-inf"]], "b": {"c": "inf"}, "d": True}


def test_no_json_is_written_in_another_way():
    for path in [*(ROOT / "tr2m").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("dumps", "dump") and path.name != "json_text.py":
                assert getattr(node.value, "id", "") != "json", f"{path}: tr2m.json_text, which knows no NaN"
