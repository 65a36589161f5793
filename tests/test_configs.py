"""Every config file composes, and what it describes can be built with the tiny encoders."""

import re
from pathlib import Path

import pytest
import tiny
import torch
import yaml

from tr2m.build import build
from tr2m.evaluation.protocol import Protocol
from tr2m.paper.tables.layout import read_layout

pytestmark = pytest.mark.longest

EXPERIMENTS = sorted(path.stem for path in (tiny.CONFIGS / "experiment").glob("*.yaml"))
DATASETS = sorted(path.stem for path in (tiny.CONFIGS / "dataset").glob("*.yaml"))
RELATIVE_MODELS = sorted(path.stem for path in (tiny.CONFIGS / "model/relative_depth").glob("*.yaml"))
BASELINES = sorted(path.stem for path in (tiny.CONFIGS / "baseline").glob("*.yaml"))
TABLES = sorted((tiny.CONFIGS / "tables").glob("*.yaml"))
# A model group gives way to its tiny sibling; what an experiment does to heads, fusion and losses stays.
TINY_ENCODERS = {
    "image_encoder": "model/image_encoder=dinov2_tiny",
    "text_encoder": "model/text_encoder=clip_tiny",
    "relative_depth": "model/relative_depth=depth_anything_tiny",
}


def tiny_model(experiment: str) -> list[str]:
    """Overrides that put tiny random networks into an experiment."""
    model = tiny.config(f"experiment={experiment}")["model"]
    if model["_target_"].endswith("DepthAnythingMetric"):
        return list(tiny.DEPTH_ANYTHING)
    return [override for part, override in TINY_ENCODERS.items() if part in model]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiments_compose_and_build(experiment: str):
    tiny_encoders = tiny_model(experiment)
    settings = tiny.config(f"experiment={experiment}", *tiny_encoders)
    model = build(settings["model"])
    contrast = build(settings["contrast"], model=model)
    build(settings["objective"])
    build(settings["optim"]["schedule"])
    build(settings["optim"]["optimizer"], params=[*model.parameters(), *contrast.parameters()])
    assert settings["name"] == experiment
    for dataset in settings["data"]["datasets"].values():
        for name, protocol in dataset["protocols"].items():
            protocol.pop("reader", None)
            assert isinstance(build(protocol, name=name), Protocol)


def test_the_contrast_of_the_maps_has_the_width_of_both_heads_features():
    settings = tiny.config("experiment=contrast_maps")
    heads = settings["model"]["scale_head"], settings["model"]["shift_head"]
    assert settings["contrast"]["features"] == "maps"
    assert settings["contrast"]["projector"]["width"] == sum(head["mid_width"] for head in heads) == 128


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiments_hold_only_differences_and_say_how_to_run_them(experiment: str):
    text = (tiny.CONFIGS / "experiment" / f"{experiment}.yaml").read_text()
    assert len(text.splitlines()) <= 25
    assert f"experiment={experiment}" in text
    assert "paper" in text.lower()


@pytest.mark.parametrize("dataset", DATASETS)
def test_data_sets_compose_with_a_protocol_of_the_training_range(dataset: str):
    settings = tiny.config(f"dataset={dataset}", name="eval")["dataset"]
    for config in settings["protocols"].values():
        config.pop("reader", None)
    protocols = [build(config, name=name) for name, config in settings["protocols"].items()]
    low, high = settings["reader"]["depth_range"]
    assert (low, high) in [(protocol.min_depth, protocol.max_depth) for protocol in protocols]
    assert all(side % 14 == 0 for side in settings["reader"]["input_size"])


@pytest.mark.parametrize("baseline", BASELINES)
def test_baselines_compose_and_say_what_they_predict(baseline: str):
    needed = {"folder": ["baseline.method.root=x"], "rsa_published": ["baseline.method.model.checkpoint=x"]}
    settings = tiny.config(f"baseline={baseline}", "dataset=nyuv2", *needed.get(baseline, []), name="eval")["baseline"]
    assert settings["name"] == baseline
    assert settings["method"].get("kind", "metric_depth") in ("metric_depth", "relative_depth")


@pytest.mark.parametrize(
    ("baseline", "millions"), [("zoedepth", 345), ("depth_anything_v2_indoor", 24.8), ("depth_pro", 952)]
)
def test_published_networks_have_their_published_size(baseline: str, millions: float):
    model = tiny.config(f"baseline={baseline}", "dataset=nyuv2", name="eval")["baseline"]["method"]["model"]
    with torch.device("meta"):
        assert build({**model, "pretrained": False}).num_weights / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_tables_name_experiments_and_baselines_that_exist(path: Path):
    for row in read_layout(path).rows:
        for source in row.sources.values():
            known = {"experiment": EXPERIMENTS, "baseline": BASELINES, "saved": [source.method]}
            assert source.method in known[source.kind], row


@pytest.mark.parametrize("number", [4, 5, 9, 11, 12])
def test_ablations_quote_the_number_of_their_row(number: int):
    for row in read_layout(tiny.CONFIGS / "tables" / f"table{number}.yaml").rows:
        text = (tiny.CONFIGS / "experiment" / f"{row.sources['nyuv2'].method}.yaml").read_text()
        assert f"The paper reports (its numbers) AbsRel {row.paper[0]} on NYUv2" in text, row.label


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


def test_released_numbers_where_the_paper_is_silent():
    settings = tiny.config("experiment=mixed4")
    assert settings["trainer"]["mixing"] == "round_robin"
    assert (settings["optim"]["optimizer"]["eps"], settings["optim"]["optimizer"]["weight_decay"]) == (1e-6, 1e-2)
    assert settings["contrast"]["momentum"] == 0.99


@pytest.mark.parametrize("name", RELATIVE_MODELS)
def test_relative_models_state_their_normalisation_and_size_rule(name: str):
    config = yaml.safe_load((tiny.CONFIGS / "model/relative_depth" / f"{name}.yaml").read_text())
    if "defaults" not in config and name != "stored":
        assert {"repo_id", "resize", "mean", "std", "architecture"} <= set(config)


def test_the_package_and_its_readme_state_one_version():
    version = re.search(r'__version__ = "(.+)"', (tiny.ROOT / "tr2m/__init__.py").read_text())[1]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert Path(tiny.ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")
