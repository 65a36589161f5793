"""Checkpoints that were written before classes moved and the released network came go on loading."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from tr2m import load_model
from tr2m.build import build, locate
from tr2m.errors import UserError
from tr2m.training.run.checkpoint import load_weights
from tr2m.training.run.old_formats import ADDED, MOVED, in_present_format
from tr2m.training.run.resume import check_same_experiment

ENCODERS = ("model/image_encoder=dinov2_tiny", "model/text_encoder=clip_tiny")
EQUATIONS = ("model=tr2m_equations", *ENCODERS, "model/relative_depth=depth_anything_tiny", *tiny.SMALL)
FACTOR = "tr2m.models.equations.heads.FactorHead"
WIDTH = {"width": 16, "max_logit": 10.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "image only": {"fusion": {"_target_": "tr2m.models.equations.fusion.ImageAttention", "width": 16}},
    "text only": {"fusion": {"_target_": "tr2m.models.equations.fusion.TextBroadcast", "width": 16}},
    "factors": {"scale_head": {"_target_": FACTOR, **WIDTH}, "shift_head": {"_target_": FACTOR, **WIDTH}},
    "scale only": {"shift_head": {"_target_": "tr2m.models.heads.ConstantHead", "value": 0.0}},
}


def in_old_names(config: Any) -> Any:
    """A model's config as format 1 has it: each class at its old place, without the arguments that came later."""
    if not isinstance(config, dict):
        return config
    added = ADDED.get(config.get("_target_"), {})
    old = {key: in_old_names(value) for key, value in config.items() if key not in added}
    names = {new: name for name, new in MOVED.items()}
    return {**old, "_target_": names.get(config["_target_"], config["_target_"])} if "_target_" in config else old


def save_old(path: Path, config: dict[str, Any], model: torch.nn.Module, **changes: Any) -> None:
    state = {
        "format_version": 1,
        "config": {"name": "old", "seed": 0, "model": in_old_names(config)},
        "model": model.state_dict(),
        "fingerprints": model.fingerprints(),
        "input_sizes": [[28, 42]],
    }
    torch.save(state | changes, path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_checkpoint_with_the_old_names_loads_and_predicts_the_same(tmp_path: Path, variant: str):
    config = tiny.config(*EQUATIONS)["model"] | VARIANTS[variant]
    model = build(config).eval()
    save_old(tmp_path / "old.pt", config, model)
    batch = tiny.batch()
    expected = model(batch.image, batch.captions).metric_depth
    assert torch.equal(
        load_model(tmp_path / "old.pt", precision="float32")(batch.image, batch.captions).metric_depth, expected
    )


def test_the_old_names_are_those_that_format_1_has():
    names = str(in_old_names(tiny.config(*EQUATIONS)["model"]))
    for old in ("models.tr2m.TR2M'", "models.heads.DPTHead'", "models.image_encoder.DINOv2", "models.resize_rule.Same"):
        assert old in names
    assert "interpolation" not in names
    assert "equations" not in names


def test_every_name_in_the_table_leads_to_a_class():
    assert all(locate(name).__name__ for name in [*MOVED.values(), *ADDED])


def test_a_checkpoint_of_today_is_left_alone_and_an_unknown_format_refused():
    state = {"format_version": 2, "config": {"model": {"_target_": "tr2m.models.tr2m.TR2M"}}}
    assert in_present_format("x.pt", state) is state
    with pytest.raises(UserError, match=r"x\.pt has checkpoint format 3, this version of tr2m reads 1 and 2"):
        in_present_format("x.pt", {**state, "format_version": 3})


@pytest.mark.parametrize("there", ["TR2M", "TR2MEquations"])
def test_a_checkpoint_of_the_other_network_is_named(there: str):
    stored, present = {"model": {"_target_": f"tr2m.{there}"}}, {"model": {"_target_": "tr2m.TR2M"}}
    if there == "TR2M":
        stored, present = {**stored, "seed": 0}, {"model": {"_target_": "tr2m.TR2MEquations"}, "seed": 1}
    here = present["model"]["_target_"].removeprefix("tr2m.")
    with pytest.raises(UserError, match=f"^x.pt is a checkpoint of {there}, expected one of {here}: give its model=$"):
        check_same_experiment(Path("x.pt"), stored, present)


def test_weights_of_the_other_network_are_named():
    equations, released = build(tiny.config(*EQUATIONS)["model"]), tiny.parts()[0]
    names = r"TR2M \(model=tr2m\)", r"TR2M by the bare equations \(model=tr2m_equations\)"
    with pytest.raises(UserError, match=f"^x has weights of {names[1]}, expected those of {names[0]}$"):
        load_weights(released, equations.state_dict(), "x")
    with pytest.raises(UserError, match=f"^x has weights of {names[0]}, expected those of {names[1]}$"):
        load_weights(equations, released.state_dict(), "x")
