"""The frozen networks still compute what other implementations computed on equal weights: an update of timm, open_clip
or transformers that changes them is seen. `tests/golden/make.py` made the values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from golden import networks


@pytest.fixture(scope="module")
def values() -> dict[str, np.ndarray]:
    with np.load(tiny.ROOT / "tests/golden/values.npz") as file:
        return dict(file)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TR2M_WEIGHTS", str(tmp_path))

    def loaded(part: str) -> Any:
        return networks.load(part, tmp_path)

    return loaded


@torch.no_grad()
def test_image_tokens(load, values: dict[str, np.ndarray]):
    tokens = load("image_encoder")(networks.image())[0]
    assert values["image_tokens"].std() > 0.5
    np.testing.assert_allclose(tokens.numpy(), values["image_tokens"], atol=1e-5)


@torch.no_grad()
def test_text_features(load, values: dict[str, np.ndarray]):
    encoder = load("text_encoder")
    ids = encoder.tokenizer(networks.CAPTIONS)
    assert ids[0, :7].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407]
    np.testing.assert_array_equal(ids[:, :16].numpy(), values["token_ids"])
    features, _ = encoder(networks.CAPTIONS)
    assert abs(values["text_features"][0] - values["text_features"][1]).max() > 0.1
    np.testing.assert_allclose(features[:, 0].numpy(), values["text_features"], atol=1e-5)


@torch.no_grad()
def test_relative_depth(load, values: dict[str, np.ndarray]):
    depth = load("relative_depth")(networks.image())[0]
    assert values["relative_depth"].std() > 0.1
    np.testing.assert_allclose(depth[::7, ::7].numpy(), values["relative_depth"], atol=1e-5)
