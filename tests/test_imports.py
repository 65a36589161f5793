"""Imports go one way, and only the encoder files know the encoders' libraries."""

import ast
import re
from pathlib import Path

import pytest
from tiny import ROOT

PACKAGE = ROOT / "tr2m"
FILES = sorted(PACKAGE.rglob("*.py"))
# The floors of the house, from the bottom: a room imports itself and what lies on the floors below it.
FLOORS = (
    {"errors", "types", "limits", "json_text", "shipped"},
    {"ops", "build", "distributed", "files"},
    {"data", "models", "losses"},
    {"evaluation", "preparation", "captioning", "feature_cache", "synthetic"},
    {"drawing", "points"},
    {"inference"},
    {"training", "paper", "video"},
    {"experiment"},
    {"benchmark", "app", "sharing"},
    {"cli"},
    {"__main__"},
)
BELOW = {room: set().union(*FLOORS[:number]) for number, floor in enumerate(FLOORS) for room in floor}
ENCODER_LIBRARIES = {"timm", "open_clip", "transformers"}
ENCODERS = {
    "image_encoder.py",
    "text_encoder.py",
    "relative_depth.py",
    "metric_depth.py",
    "depth_anything_metric.py",
    "llava.py",
    "blip.py",
    "panoptic.py",
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_layers_and_libraries(path: Path):
    names = imported(path)
    layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if layer != "__init__":
        parts = {name.split(".")[1] for name in names if name.startswith("tr2m.")}
        assert parts - {layer} <= BELOW[layer], f"{layer} imports {parts - {layer} - BELOW[layer]}"
    top = {name.split(".")[0] for name in names}
    # Hydra is known to the command line alone.
    assert layer == "cli" or not top & {"hydra", "omegaconf"}
    if path.name not in ENCODERS:
        assert not top & ENCODER_LIBRARIES


def test_rooms_stay_small():
    files = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert max(files.values()) <= 260, max(files, key=files.get)


def test_the_floor_plan_names_every_module():
    page = (ROOT / "docs" / "architecture.md").read_text()
    plan = page[page.index("## Where things live") :].split("```")[1]
    words = set(re.findall(r"\w+", plan))
    modules = {path.stem for path in FILES} - {"__init__", "__main__"}
    assert modules - words == set(), "docs/architecture.md does not say where these are"
    assert {room for floor in FLOORS for room in floor} - {"__main__"} <= words
