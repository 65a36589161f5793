from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.experiment.load import load_model
from tr2m.models.frozen.resize_rule import LowerBound
from tr2m.training.run.checkpoint import save_checkpoint
from tr2m.training.schedule import OneCycle

LOWER = {"_target_": "tr2m.models.frozen.resize_rule.LowerBound", "bound": 42, "multiple_of": 14}
CYCLE = {"_target_": "tr2m.training.schedule.OneCycle", "warmup": 0, "final": 1}


def test_plain_data_stay_and_targets_become_objects_at_any_depth():
    built = build({"rules": [LOWER], "number": 3, "nothing": None})
    assert built == {"rules": [LowerBound(42, 14)], "number": 3, "nothing": None}


def test_extra_arguments_win_and_integers_are_good_floats():
    assert build(LOWER, bound=28) == LowerBound(28, 14)
    assert build(CYCLE) == OneCycle(0, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bond": 42}, "no argument 'bond'; did you mean 'bound'"),
        ({"bound": "42"}, "bound = '42' is of type str, expected"),
        ({"_target_": "tr2m.models.frozen.resize_rule.LowerBond"}, "does not exist"),
        ({"_target_": "tr2m.models.frozen.resize_rule.math"}, "not a class defined in"),
        ({"_target_": "tr2m.models.frozen.weights.Path"}, "not a class defined in"),
        ({"_target_": "tr2m.models.tr2m.rescale_depth"}, "not a class defined in"),
        ({"_target_": "subprocess.Popen"}, "not allowed"),
        ({"_target_": "torch.load"}, "not allowed"),
        ({"_target_": "tr2mm.models.TR2M"}, "not allowed"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(change: dict, message: str):
    with pytest.raises(UserError, match=message):
        build({**LOWER, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_masks": False}, "no argument 'use_masks'; did you mean 'use_mask'"),
        ({"sample_ids": []}, "no argument 'sample_ids'"),
        ({"use_mask": "no"}, "use_mask = 'no' is of type str, expected"),
        ({"split_file": 3}, "split_file = 3 is of type int, expected"),
        ({"captions": {"a": "b"}}, "captions = {'a': 'b'} is of type dict, expected"),
        ({}, "needs name, split, captions, input_size, depth_range, root, split_file, which"),
    ],
)
def test_a_reader_is_checked_by_its_own_fields_and_those_it_inherits(change: dict, message: str):
    with pytest.raises(UserError, match=message):
        build({"_target_": "tr2m.data.readers.diode.DIODEOutdoor", **change})


def test_a_missing_argument_is_named():
    with pytest.raises(UserError, match="needs multiple_of"):
        build({"_target_": LOWER["_target_"], "bound": 42})


def from_command_line(folder: Path, target: str) -> None:
    with initialize_config_dir(str(folder), version_base="1.3"):
        build(OmegaConf.to_container(compose("harmless", [f"model.fusion._target_={target}"]))["model"])


def from_yaml(folder: Path, target: str) -> None:
    with initialize_config_dir(str(folder), version_base="1.3"):
        build(OmegaConf.to_container(compose("evil"))["model"])


def from_checkpoint(folder: Path, target: str) -> None:
    load_model(folder / "evil.pt")


@pytest.mark.parametrize(
    "target",
    ["os.system", "torch.load", "torch.hub.load", "builtins.eval", "subprocess.run", "tr2m.data.decoding.decode.cv2"],
)
@pytest.mark.parametrize("source", [from_command_line, from_yaml, from_checkpoint])
def test_code_is_refused_from_everywhere(tmp_path: Path, source: Callable[[Path, str], None], target: str):
    evil = {"_target_": target, "command": f"touch {tmp_path}/trap"}
    (tmp_path / "evil.yaml").write_text(yaml.safe_dump({"model": {"fusion": evil}}))
    (tmp_path / "harmless.yaml").write_text(yaml.safe_dump({"model": {"fusion": {**evil, "_target_": "none"}}}))
    save_checkpoint(tmp_path / "evil.pt", {"config": {"model": evil}, "model": {}, "fingerprints": {}})
    with pytest.raises(UserError, match=rf"_target_ '{target}' is not a"):
        source(tmp_path, target)
    assert not (tmp_path / "trap").exists()
