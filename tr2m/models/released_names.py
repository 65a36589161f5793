"""Names of the trained weights in the authors' checkpoint, and here."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

# Modules of the authors' network, and the modules of `model=tr2m` that have the same weights.
MODULES = {
    "align_mlp.a_fc": "rescale_encoder.text_projection.0",
    "crossattn.ln_1": "rescale_encoder.fusion.self_norm",
    "crossattn.attn": "rescale_encoder.fusion.self_attention",
    "crossattn.attn.out_proj": "rescale_encoder.fusion.self_attention.out_proj",
    "crossattn.ln_visual": "rescale_encoder.fusion.image_norm",
    "crossattn.ln_text": "rescale_encoder.fusion.text_norm",
    "crossattn.attn_cross": "rescale_encoder.fusion.text_attention",
    "crossattn.attn_cross.out_proj": "rescale_encoder.fusion.text_attention.out_proj",
    "crossattn.ln_2": "rescale_encoder.fusion.mlp_norm",
    "crossattn.mlp.c_fc": "rescale_encoder.fusion.mlp.0",
    "crossattn.mlp.c_proj": "rescale_encoder.fusion.mlp.2",
    "projects": "decoder.project",
    "resize_layers": "decoder.upsample",
    "layer1_rn": "decoder.reduce",
    "resConfUnit1.conv1": "decoder.residual1.conv1",
    "resConfUnit1.conv2": "decoder.residual1.conv2",
    "out_conv1": "decoder.mix1",
    "resConfUnit2.conv1": "decoder.residual2.conv1",
    "resConfUnit2.conv2": "decoder.residual2.conv2",
    "out_conv2": "decoder.mix2",
    "output_conv_scale1": "scale_head.mid",
    "output_conv_scale2.0": "scale_head.hidden",
    "output_conv_scale2.2": "scale_head.to_logit",
    "output_conv_shift1": "shift_head.mid",
    "output_conv_shift2.0": "shift_head.hidden",
    "output_conv_shift2.2": "shift_head.to_logit",
}
OURS = {ours: released for released, ours in MODULES.items()}
# What a training checkpoint of theirs puts in front of a name.
PREFIXES = ("module.scalemap.", "scalemap.")


def without_prefix(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without the prefix that a training checkpoint puts in front of each name."""
    return {_strip(name): weight for name, weight in weights.items()}


def is_released(weights: Mapping[str, Tensor]) -> bool:
    """Whether any name is one of the authors' network."""
    return any(_module(_strip(name)) in MODULES for name in weights)


def from_released(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under our names; a name that is not the authors' stays as it is."""
    return _renamed(weights, MODULES)


def to_released(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `model=tr2m` under the authors' names; a name that has none stays as it is."""
    return _renamed(weights, OURS)


def _renamed(weights: Mapping[str, Tensor], modules: Mapping[str, str]) -> dict[str, Tensor]:
    renamed = {}
    for name, weight in weights.items():
        module = _module(name)
        renamed[modules.get(module, module) + name[len(module) :]] = weight
    return renamed


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def _strip(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)
