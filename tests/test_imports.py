"""Imports go one way, and only the encoder files know the encoders' libraries."""

import ast
from pathlib import Path

import pytest
from tiny import ROOT

PACKAGE = ROOT / "tr2m"
FILES = sorted(PACKAGE.rglob("*.py"))
# Each layer may import itself and what stands before it; models, losses and data never import one another.
BELOW = {
    "errors": set(),
    "types": set(),
    "distributed": {"errors"},
    "ops": {"types"},
    "models": {"types", "ops", "errors"},
    "losses": {"types", "ops", "errors"},
    "data": {"types", "ops", "errors"},
    "build": {"errors"},
}
BELOW["evaluation"] = {"types", "ops", "errors", "models", "losses", "data", "distributed"}
BELOW["training"] = BELOW["evaluation"] | {"evaluation", "build"}
BELOW["inference"] = BELOW["evaluation"] | {"evaluation"}
BELOW["benchmark"] = BELOW["training"] | {"training"}
BELOW["captioning"] = {"types", "ops", "errors", "models", "data"}
BELOW["preparation"] = BELOW["captioning"] | {"evaluation", "build"}
BELOW["load"] = BELOW["training"] | {"training"}
ENCODER_LIBRARIES = {"timm", "open_clip", "transformers"}
ENCODERS = {
    "image_encoder.py",
    "text_encoder.py",
    "relative_depth.py",
    "depth_anything_metric.py",
    "llava.py",
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
    assert not top & {"hydra", "omegaconf", "scripts"}
    if path.name not in ENCODERS:
        assert not top & ENCODER_LIBRARIES


def test_rooms_stay_small():
    scripts = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "scripts").glob("*.py")}
    files = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert max(files.values()) <= 260, max(files, key=files.get)
    assert all(count <= 150 for name, count in scripts.items()), scripts
