"""How many parameters each component of a model has, without weights and without memory for them."""

from __future__ import annotations

from typing import Any

import torch

from tr2m.build import build


def count_parameters(model_config: dict[str, Any], contrast_config: dict[str, Any]) -> dict[str, int]:
    """Number of parameters of each component, built on the meta device."""
    with torch.device("meta"):
        model = build(without_weights(model_config), "model")
        contrast = build(contrast_config, "contrast", model=model)
    parts = dict(model.named_children())
    parts = dict(parts.pop("rescale_encoder").named_children()) | parts
    if hasattr(contrast, "projector"):
        parts["projector"] = contrast.projector
    frozen = {name: part.num_weights for name, part in parts.items() if hasattr(part, "num_weights")}
    trained = {n: sum(p.numel() for p in part.parameters()) for n, part in parts.items() if n not in frozen}
    return trained | {"trainable": sum(trained.values())} | frozen


def without_weights(node: Any) -> Any:
    """The same config with every `pretrained` switched off."""
    if not isinstance(node, dict):
        return node
    return {key: False if key == "pretrained" else without_weights(value) for key, value in node.items()}
