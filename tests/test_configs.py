"""Every config file composes, and what it describes can be built with the tiny encoders."""

import re
from pathlib import Path

import pytest
import tiny
import yaml

from tr2m.build import build
from tr2m.evaluation.protocol import Protocol

EXPERIMENTS = sorted(path.stem for path in (tiny.CONFIGS / "experiment").glob("*.yaml"))
DATASETS = sorted(path.stem for path in (tiny.CONFIGS / "dataset").glob("*.yaml"))
RELATIVE_MODELS = sorted(path.stem for path in (tiny.CONFIGS / "model/relative_depth").glob("*.yaml"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiments_compose_and_build(experiment: str):
    # The experiment's own model group gives way to the tiny encoders; what it does to heads, fusion and losses stays.
    tiny_encoders = [
        f"{group}={name}"
        for group, name in (
            ("model/image_encoder", "dinov2_tiny"),
            ("model/text_encoder", "clip_tiny"),
            ("model/relative_depth", "depth_anything_tiny"),
        )
    ]
    settings = tiny.config(f"experiment={experiment}", *tiny_encoders)
    model = build(settings["model"])
    contrast = build(settings["contrast"], encoder=model.rescale_encoder)
    build(settings["objective"])
    build(settings["optim"]["schedule"])
    build(settings["optim"]["optimizer"], params=[*model.parameters(), *contrast.projector.parameters()])
    assert settings["name"] == experiment
    for dataset in settings["data"]["datasets"].values():
        for name, protocol in dataset["protocols"].items():
            protocol.pop("reader", None)
            assert isinstance(build(protocol, name=name), Protocol)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiments_hold_only_differences_and_say_how_to_run_them(experiment: str):
    text = (tiny.CONFIGS / "experiment" / f"{experiment}.yaml").read_text()
    assert len(text.splitlines()) <= 25
    assert f"experiment={experiment}" in text
    assert "paper" in text.lower()


@pytest.mark.parametrize("dataset", DATASETS)
def test_data_sets_compose_with_a_protocol_of_the_training_range(dataset: str):
    settings = tiny.config(f"dataset={dataset}", name="eval")["dataset"]
    name, config = next(iter(settings["protocols"].items()))
    config.pop("reader", None)
    protocol = build(config, name=name)
    low, high = settings["reader"]["depth_range"]
    factor = {"m": 1, "mm": 1000}[protocol.unit]
    assert (protocol.min_depth, protocol.max_depth) == (pytest.approx(low * factor), pytest.approx(high * factor))
    assert all(side % 14 == 0 for side in settings["reader"]["input_size"])


def test_folders_stand_in_one_file():
    for path in tiny.CONFIGS.rglob("*.yaml"):
        if path.parent.name != "paths":
            assert "oc.env" not in path.read_text(), path


def test_numbers_of_the_paper():
    settings = tiny.config()
    assert settings["objective"]["weights"] == {"silog": 1.0, "pseudo": 0.5, "contrast": 0.1, "smoothness": 0.01}
    assert settings["objective"]["silog"]["variance_focus"] == 0.15
    assert settings["objective"]["contrast"]["classes"] == 20
    assert (settings["optim"]["optimizer"]["lr"], settings["optim"]["schedule"]["decay"]) == (1e-5, 0.9)
    assert (settings["trainer"]["epochs"], settings["trainer"]["batch_size"]) == (20, 8)


@pytest.mark.parametrize("name", RELATIVE_MODELS)
def test_relative_models_state_their_normalisation_and_size_rule(name: str):
    config = yaml.safe_load((tiny.CONFIGS / "model/relative_depth" / f"{name}.yaml").read_text())
    if "defaults" not in config and name != "stored":
        assert {"repo_id", "resize", "mean", "std", "architecture"} <= set(config)


def test_the_package_and_its_readme_state_one_version():
    version = re.search(r'__version__ = "(.+)"', (tiny.ROOT / "tr2m/__init__.py").read_text())[1]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert Path(tiny.ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")
