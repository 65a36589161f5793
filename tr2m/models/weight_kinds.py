"""What a file of weights is, by the names in it: for messages about a file that is something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

# The beginning of a name that only this network has. The more special ones come first.
KINDS = {
    "decoder.project.": "TR2M (model=tr2m)",
    "scale_head.project.": "TR2M by the bare equations (model=tr2m_equations)",
    "align_mlp.": "the authors' TR2M",
    "scene_feat_net.": "RSA",
    "rescale_encoder.scene_feat_net.": "RSA",
    "rescale_encoder.backbone.": "Depth Anything with a metric head",
    "depth_head.": "Depth Anything",
    "neck.": "a depth network of transformers, such as Depth Anything",
    "visual.": "CLIP",
    "blocks.": "a vision transformer, such as DINOv2",
}


def kind_of(names: Iterable[str]) -> str | None:
    """What network the weights called `names` are of; None if that is not known."""
    names = list(names)
    return next((kind for start, kind in KINDS.items() if any(name.startswith(start) for name in names)), None)


def weights_in(content: Any) -> dict[str, Tensor]:
    """The named tensors in the content of a file of weights, wherever it keeps them; {} if there are none."""
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        return {}
    return {name: w for name, w in content.items() if isinstance(name, str) and isinstance(w, Tensor)}
