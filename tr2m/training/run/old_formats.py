"""Checkpoints of format 1, whose classes have other names today, still load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tr2m.errors import UserError

FORMAT_VERSION = 2

# Before the released network was known there was one TR2M, that of the bare equations, and all of tr2m/models was one
# folder. What still has its name is not listed.
MOVED = {
    "tr2m.models.tr2m.TR2M": "tr2m.models.equations.tr2m_equations.TR2MEquations",
    "tr2m.models.fusion.CrossModalityAttention": "tr2m.models.equations.fusion.SumOfAttentions",
    "tr2m.models.fusion.ImageAttention": "tr2m.models.equations.fusion.ImageAttention",
    "tr2m.models.fusion.TextBroadcast": "tr2m.models.equations.fusion.TextBroadcast",
    "tr2m.models.heads.DPTHead": "tr2m.models.equations.heads.TokenwiseHead",
    "tr2m.models.heads.FactorHead": "tr2m.models.equations.heads.FactorHead",
    "tr2m.models.image_encoder.DINOv2ImageEncoder": "tr2m.models.frozen.image_encoder.DINOv2ImageEncoder",
    "tr2m.models.text_encoder.CLIPTextEncoder": "tr2m.models.frozen.text_encoder.CLIPTextEncoder",
    "tr2m.models.relative_depth.RelativeDepthModel": "tr2m.models.frozen.relative_depth.RelativeDepthModel",
    "tr2m.models.relative_depth.StoredRelativeDepth": "tr2m.models.frozen.relative_depth.StoredRelativeDepth",
    "tr2m.models.resize_rule.SameSize": "tr2m.models.frozen.resize_rule.SameSize",
    "tr2m.models.resize_rule.LowerBound": "tr2m.models.frozen.resize_rule.LowerBound",
    "tr2m.models.resize_rule.FixedSize": "tr2m.models.frozen.resize_rule.FixedSize",
    "tr2m.models.rsa.RSA": "tr2m.models.compared.rsa.RSA",
    "tr2m.models.depth_anything_metric.DepthAnythingMetric": (
        "tr2m.models.compared.depth_anything_metric.DepthAnythingMetric"
    ),
}
# Arguments that a class has got since, with what it did without them.
INTERPOLATION = "tr2m.models.frozen.interpolation.Interpolation"
ADDED = {
    "tr2m.models.frozen.relative_depth.RelativeDepthModel": {
        "image_interpolation": {
            "_target_": INTERPOLATION,
            "mode": "bicubic",
            "align_corners": False,
            "antialias": True,
        },
        "depth_interpolation": {
            "_target_": INTERPOLATION,
            "mode": "bilinear",
            "align_corners": False,
            "antialias": False,
        },
    }
}


def in_present_format(path: str | Path, state: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint, or a published folder's content, whose model can be built today. Raises UserError if its format is
    one that this version does not know.
    """
    version = state.get("format_version")
    if version not in (1, FORMAT_VERSION):
        raise UserError(f"{path} has checkpoint format {version!r}, this version of tr2m reads 1 and {FORMAT_VERSION}")
    config = state.get("config")
    if version == FORMAT_VERSION or not isinstance(config, dict):
        return state
    return {**state, "config": {**config, "model": _in_present_names(config.get("model"))}}


def _in_present_names(config: Any) -> Any:
    if isinstance(config, list):
        return [_in_present_names(item) for item in config]
    if not isinstance(config, dict):
        return config
    renamed = {key: _in_present_names(value) for key, value in config.items()}
    target = str(config.get("_target_"))
    target = MOVED.get(target, target)
    return {**ADDED.get(target, {}), **renamed, **({"_target_": target} if "_target_" in config else {})}
