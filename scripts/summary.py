"""Parameters by component: python scripts/summary.py model=<name>. Needs no weights and no memory for them."""

from __future__ import annotations

import json
from typing import Any

from hydra_app import hydra_app, plain
from omegaconf import DictConfig

FROZEN = ("image_encoder", "text_encoder", "relative_depth")


@hydra_app("summary")
def main(config: DictConfig) -> None:
    counts = count_parameters(plain(config))
    for name, count in counts.items():
        state = "frozen" if name in FROZEN else "trained"
        print(f"{name:<16} {count:>13,}  {state}")
    print(json.dumps(counts))


def count_parameters(settings: dict[str, Any]) -> dict[str, int]:
    """Number of parameters of each component, built on the meta device."""
    import torch

    from tr2m.build import build

    model_config = without_weights(settings["model"])
    with torch.device("meta"):
        model = build(model_config)
        contrast = build(settings["contrast"], encoder=model.rescale_encoder)
    parts = {
        "text_projection": model.rescale_encoder.text_projection,
        "fusion": model.rescale_encoder.fusion,
        "scale_head": model.scale_head,
        "shift_head": model.shift_head,
        "projector": contrast.projector,
    }
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
    counts["trainable"] = sum(counts.values())
    return counts | {name: getattr(model, name).num_weights for name in FROZEN}


def without_weights(node: Any) -> Any:
    """The same config with every `pretrained` switched off."""
    if not isinstance(node, dict):
        return node
    return {key: False if key == "pretrained" else without_weights(value) for key, value in node.items()}


if __name__ == "__main__":
    main()
