"""Wrong options are refused where they enter, with the key, the value and what is allowed."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import tiny
import torch

from tr2m.build import build, read_settings
from tr2m.errors import UserError
from tr2m.experiment import settings
from tr2m.experiment.settings import BenchmarkSettings, CheckSettings, EvalSettings, TrainSettings
from tr2m.limits import Limit

TRAIN = [
    ("trainer.epochs", 0, "trainer.epochs = 0, expected int, at least 1"),
    ("trainer.epochs", -1, "trainer.epochs = -1, expected int, at least 1"),
    ("trainer.epochs", 1.5, "trainer.epochs = 1.5 is of type float, expected int, at least 1"),
    ("trainer.epochs", True, "trainer.epochs = True, expected int, at least 1"),
    ("trainer.batch_size", 0, "trainer.batch_size = 0, expected int, at least 1"),
    ("trainer.accumulate", 0, "trainer.accumulate = 0, expected int, at least 1"),
    ("trainer.clip_norm", 0, "trainer.clip_norm = 0, expected float, above 0"),
    ("trainer.clip_norm", float("nan"), "trainer.clip_norm = nan, expected float, above 0"),
    ("trainer.clip_norm", float("inf"), "trainer.clip_norm = inf, expected float, above 0"),
    ("trainer.workers", -1, "trainer.workers = -1, expected int, at least 0"),
    ("trainer.log_every", 0, "trainer.log_every = 0, expected int, at least 1"),
    ("trainer.save_every", 0, "trainer.save_every = 0, expected int, at least 1"),
    ("trainer.keep_every", 0, "trainer.keep_every = 0, expected int, at least 1"),
    ("trainer.validate_every", 0, "trainer.validate_every = 0, expected int, at least 1"),
    ("trainer.panels", -1, "trainer.panels = -1, expected int, at least 0"),
    ("trainer.stop_after", 0, "trainer.stop_after = 0, expected int, at least 1 or null"),
    ("trainer.mixing", "foo", "trainer.mixing = 'foo', expected one of proportional, round_robin"),
    ("trainer.max_steps", -1, "trainer.max_steps = -1, expected int, at least 0 or null"),
    ("trainer.skip_nonfinite", -1, "trainer.skip_nonfinite = -1, expected int, at least 0"),
    ("trainer.unreadable", 1.1, "trainer.unreadable = 1.1, expected float, at least 0 and at most 1"),
    ("trainer.epoch", 3, "trainer has no argument 'epoch'; did you mean 'epochs'"),
    ("seed", -1, "seed = -1, expected int, at least 0"),
    ("seed", 2**63, f"seed = {2**63}, expected int, at least 0"),
    ("compile", "yes", "compile = 'yes' is of type str, expected bool"),
    ("run_id", 1.5, "run_id = 1.5 is of type float, expected str or int or null"),
    ("cache.image_tokens", "on", "cache.image_tokens = 'on' is of type str, expected bool"),
    (
        "data.datasets.nyuv2.eval_split",
        None,
        "data.datasets.nyuv2.eval_split = None is of type NoneType, expected str",
    ),
]
BUILT = [
    ("optim.optimizer.lr", -1.0, "optim.optimizer.lr = -1.0, expected float, above 0"),
    ("optim.optimizer.lr", 0.0, "optim.optimizer.lr = 0.0, expected float, above 0"),
    ("optim.optimizer.lr", "fast", "optim.optimizer.lr = 'fast' is of type str, expected float, above 0"),
    ("optim.optimizer.weight_decay", -0.1, "optim.optimizer.weight_decay = -0.1, expected float, at least 0"),
    (
        "optim.optimizer.betas",
        [0.9, 1.0],
        r"optim.optimizer.betas = \[0.9, 1.0\], expected a list of float, at least 0 and below 1",
    ),
    ("optim.schedule.decay", -0.9, "optim.schedule.decay = -0.9, expected float, above 0"),
    ("contrast.momentum", 1.5, "contrast.momentum = 1.5, expected float, at least 0 and at most 1"),
    ("objective.contrast.classes", 0, "objective.contrast.classes = 0, expected int, at least 1"),
    ("objective.weights.silog", -1, "objective.weights = .*'silog': -1.*, expected a dictionary of str to float"),
    ("objective.pseudo.threshold", 1.5, "objective.pseudo.threshold = 1.5, expected float, at least 0 and at most 1"),
]


def changed(config: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    config = copy.deepcopy(config)
    *path, last = key.split(".")
    node = config
    for name in path:
        node = node[name]
    node[last] = value
    return config


@pytest.mark.parametrize(("key", "value", "message"), TRAIN)
def test_an_option_of_training_beyond_its_limit_is_refused(key: str, value: object, message: str):
    config = tiny.config("model=tiny")
    read_settings(TrainSettings, config)
    with pytest.raises(UserError, match=message):
        read_settings(TrainSettings, changed(config, key, value))


@pytest.mark.parametrize(
    ("target", "argument", "words"),
    [
        ("data.two_step_resize.TwoStepResize", "frame_size", "(height, width) in pixels or null"),
        ("data.readers.diode.DIODEOutdoor", "image_size", "(height, width) in pixels or null"),
        ("data.readers.hypersim.HyperSim", "image_size", "(height, width) in pixels or null"),
        ("data.readers.c3vd.C3VD", "crop", "(top, bottom, left, right) in pixels or null"),
        ("synthetic.world.SyntheticDepth", "size", "(height, width) in pixels"),
        ("benchmark.predict.PredictBenchmark", "size", "(height, width) in pixels"),
    ],
)
def test_a_size_has_two_sides_and_a_crop_four(target: str, argument: str, words: str):
    message = re.escape(f"tr2m.{target}: {argument} = [480], expected a list of int, ") + ".*" + re.escape(words) + "$"
    with pytest.raises(UserError, match=message):
        build({"_target_": f"tr2m.{target}", argument: [480]})
    with pytest.raises(UserError, match=re.escape(f"{argument} = [480, -640, 0, 0, 0]")):
        build({"_target_": f"tr2m.{target}", argument: [480, -640, 0, 0, 0]})


def test_both_sides_of_a_size_are_above_zero():
    with pytest.raises(
        UserError, match=r"frame_size = \[480, 0\], expected a list of int, at least 1, \(height, width\)"
    ):
        build({"_target_": "tr2m.data.two_step_resize.TwoStepResize", "frame_size": [480, 0]})


@pytest.mark.parametrize(("key", "value", "message"), BUILT)
def test_an_argument_of_what_is_built_beyond_its_limit_is_refused(key: str, value: object, message: str):
    config = changed(tiny.config("model=tiny", *tiny.SMALL), key, value)
    first, *rest = key.split(".")[:-1]
    part, path = config[first], first
    if first == "optim":
        part, path = part[rest[0]], f"optim.{rest[0]}"
    parameter = torch.nn.Parameter(torch.zeros(1))
    extra = {"params": [parameter]} if path == "optim.optimizer" else {}
    extra |= {"encoder": torch.nn.Identity()} if first == "contrast" else {}
    with pytest.raises(UserError, match=message):
        build(part, path, **extra)


@pytest.mark.parametrize(
    ("kind", "name", "overrides", "key", "value", "message"),
    [
        (EvalSettings, "eval", ["dataset=nyuv2"], "workers", -1, "workers = -1, expected int, at least 0"),
        (CheckSettings, "data_check", ["dataset=nyuv2"], "frames", 0, "frames = 0, expected int, at least 1"),
        (CheckSettings, "data_check", ["dataset=nyuv2"], "seed", -1, "seed = -1, expected int, at least 0"),
        (BenchmarkSettings, "benchmark", ["what=train"], "threads", 0, "threads = 0, expected int, at least 1 or null"),
    ],
)
def test_so_are_those_of_other_commands(
    kind: type, name: str, overrides: list[str], key: str, value: object, message: str
):
    config = tiny.config(*overrides, name=name)
    read_settings(kind, config)
    with pytest.raises(UserError, match=message):
        read_settings(kind, changed(config, key, value))


@pytest.mark.parametrize(
    ("name", "kind", "overrides"),
    [
        ("train", settings.TrainSettings, ["experiment=mixed4"]),
        ("benchmark", settings.BenchmarkSettings, ["what=predict"]),
        ("eval", settings.EvalSettings, ["dataset=nyuv2", "baseline=zoedepth", "alignment=median"]),
        ("eval", settings.EvalSettings, ["dataset=nyuv2", "captions=wrong_domain"]),
        ("figures", settings.FigureSettings, ["ckpt=best.pt"]),
        ("tables", settings.TableSettings, []),
        ("captions", settings.CaptionSettings, ["dataset=c3vd", "source=surgical"]),
        ("data_prepare", settings.PrepareSettings, ["dataset=nyuv2", "archives=downloads"]),
        ("data_check", settings.CheckSettings, ["dataset=nyuv2"]),
        ("data_show", settings.ShowSettings, ["dataset=nyuv2"]),
    ],
)
def test_every_option_of_a_command_has_a_field(name: str, kind: type, overrides: list[str]):
    config = tiny.config(*overrides, name=name)
    assert config.keys() <= set(vars(read_settings(kind, config)))


def test_a_replaced_argument_is_not_built():
    boom = {"_target_": "tr2m.data.captions.files.CaptionFiles", "root": "/nowhere", "lines_per_file": 15}
    rule = {"_target_": "tr2m.models.frozen.resize_rule.LowerBound", "bound": boom, "multiple_of": 14}
    assert build(rule, bound=42).bound == 42
    with pytest.raises(UserError):
        build(rule)


def test_limits_in_words():
    assert str(Limit(1)) == "at least 1"
    assert str(Limit(0, open_low=True)) == "above 0"
    assert str(Limit(0, 1, open_high=True)) == "at least 0 and below 1"
    assert Limit(0, 1, open_high=True).allows(0.5)
    assert not Limit(0, 1, open_high=True).allows(1)
    assert Limit(0, 1).allows(1)
    assert not Limit(0, 1).allows(True)
