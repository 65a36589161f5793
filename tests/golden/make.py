"""Makes values.npz by other code than the project's: PYTHONPATH=.:tests python tests/golden/make.py

DINOv2 and CLIP by transformers, where the project has timm and open_clip; Depth Anything by timm's backbone and a head
written out below, where the project has transformers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import timm
import torch
import torch.nn.functional as F
from golden.networks import CAPTIONS, PATCH, SIDE, image, published_weights
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, Dinov2Config, Dinov2Model

State = dict[str, Tensor]
GRID = SIDE // PATCH


def normalised() -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (image() - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def image_tokens() -> Tensor:
    """DINOv2's patch tokens by transformers."""
    state = published_weights("image_encoder")
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=PATCH, mlp_ratio=4
    )
    renamed = {
        "embeddings.cls_token": state["cls_token"],
        "embeddings.mask_token": torch.zeros(1, 32),
        "embeddings.position_embeddings": state["pos_embed"],
        **{f"embeddings.patch_embeddings.projection.{s}": state[f"patch_embed.proj.{s}"] for s in ("weight", "bias")},
        **{f"layernorm.{s}": state[f"norm.{s}"] for s in ("weight", "bias")},
    }
    for layer in range(2):
        ours, theirs = f"blocks.{layer}", f"encoder.layer.{layer}"
        for s in ("weight", "bias"):
            parts = state[f"{ours}.attn.qkv.{s}"].chunk(3)
            for name, part in zip(("q_proj", "k_proj", "v_proj"), parts, strict=True):
                renamed[f"{theirs}.attention.{name}.{s}"] = part
            renamed[f"{theirs}.attention.o_proj.{s}"] = state[f"{ours}.attn.proj.{s}"]
            for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                renamed[f"{theirs}.{name}.{s}"] = state[f"{ours}.{name}.{s}"]
        for n in (1, 2):
            renamed[f"{theirs}.layer_scale{n}.lambda1"] = state[f"{ours}.ls{n}.gamma"]
    network = Dinov2Model(config).eval()
    network.load_state_dict(renamed)
    return network(pixel_values=normalised()).last_hidden_state[0, 1:]


def token_ids() -> Tensor:
    return open_clip.SimpleTokenizer(context_length=77)(CAPTIONS)


def text_features() -> Tensor:
    """CLIP's pooled text features by transformers."""
    state = published_weights("text_encoder")
    config = CLIPTextConfig(
        **{"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2},
        **{"projection_dim": 16, "hidden_act": "quick_gelu", "eos_token_id": 49407, "bos_token_id": 49406},
    )
    renamed = {
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "text_projection.weight": state["text_projection"].T,
        **{f"text_model.final_layer_norm.{s}": state[f"ln_final.{s}"] for s in ("weight", "bias")},
    }
    pairs = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    pairs["attn.out_proj"] = "self_attn.out_proj"
    for layer in range(2):
        ours, theirs = f"transformer.resblocks.{layer}", f"text_model.encoder.layers.{layer}"
        for s in ("weight", "bias"):
            parts = state[f"{ours}.attn.in_proj_{s}"].chunk(3)
            for name, part in zip("qkv", parts, strict=True):
                renamed[f"{theirs}.self_attn.{name}_proj.{s}"] = part
            renamed |= {f"{theirs}.{b}.{s}": state[f"{ours}.{a}.{s}"] for a, b in pairs.items()}
    network = CLIPTextModelWithProjection(config).eval()
    network.load_state_dict(renamed)
    return network(input_ids=token_ids()).text_embeds


def relative_depth() -> Tensor:
    """Depth Anything: timm's DINOv2, then its head written out."""
    state = published_weights("relative_depth")
    size = {"embed_dim": 32, "depth": 4, "num_heads": 2, "img_size": SIDE, "num_classes": 0}
    backbone = timm.create_model("vit_small_patch14_dinov2.lvd142m", pretrained=False, **size).eval()
    backbone.load_state_dict(timm_names(state))
    layers = backbone.get_intermediate_layers(normalised(), n=[0, 1, 2, 3], norm=True)
    maps = [tokens.transpose(1, 2).unflatten(2, (GRID, GRID)) for tokens in layers]

    def convolve(values: Tensor, name: str, **options: int) -> Tensor:
        return F.conv2d(values, state[f"{name}.weight"], state.get(f"{name}.bias"), **options)

    def residual(values: Tensor, name: str) -> Tensor:
        inner = convolve(values.relu(), f"{name}.convolution1", padding=1)
        return values + convolve(inner.relu(), f"{name}.convolution2", padding=1)

    stage = "neck.reassemble_stage.layers"
    for number, values in enumerate(maps):
        values = convolve(values, f"{stage}.{number}.projection")
        if number < 2:
            weight, bias = (state[f"{stage}.{number}.resize.{s}"] for s in ("weight", "bias"))
            values = F.conv_transpose2d(values, weight, bias, stride=4 // 2**number)
        elif number == 3:
            values = convolve(values, f"{stage}.3.resize", stride=2, padding=1)
        maps[number] = convolve(values, f"neck.convs.{number}", padding=1)
    fused = None
    for number, values in enumerate(reversed(maps)):
        layer = f"neck.fusion_stage.layers.{number}"
        fused = values if fused is None else fused + residual(values, f"{layer}.residual_layer1")
        fused = residual(fused, f"{layer}.residual_layer2")
        finer = maps[2 - number].shape[-2:] if number < 3 else [2 * side for side in fused.shape[-2:]]
        fused = F.interpolate(fused, tuple(finer), mode="bilinear", align_corners=True)
        fused = convolve(fused, f"{layer}.projection")
    values = convolve(fused, "head.conv1", padding=1)
    values = F.interpolate(values, (SIDE, SIDE), mode="bilinear", align_corners=True)
    values = convolve(values, "head.conv2", padding=1).relu()
    return convolve(values, "head.conv3").relu()[0, 0]


def timm_names(state: State) -> State:
    """The backbone's weights under timm's names."""
    backbone = {name.removeprefix("backbone."): v for name, v in state.items() if name.startswith("backbone.")}
    renamed = {
        "cls_token": backbone["embeddings.cls_token"],
        "pos_embed": backbone["embeddings.position_embeddings"],
        **{
            f"patch_embed.proj.{s}": backbone[f"embeddings.patch_embeddings.projection.{s}"] for s in ("weight", "bias")
        },
        **{f"norm.{s}": backbone[f"layernorm.{s}"] for s in ("weight", "bias")},
    }
    for layer in range(4):
        theirs, ours = f"encoder.layer.{layer}", f"blocks.{layer}"
        for s in ("weight", "bias"):
            parts = [backbone[f"{theirs}.attention.attention.{name}.{s}"] for name in ("query", "key", "value")]
            renamed[f"{ours}.attn.qkv.{s}"] = torch.cat(parts)
            renamed[f"{ours}.attn.proj.{s}"] = backbone[f"{theirs}.attention.output.dense.{s}"]
            for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                renamed[f"{ours}.{name}.{s}"] = backbone[f"{theirs}.{name}.{s}"]
        for n in (1, 2):
            renamed[f"{ours}.ls{n}.gamma"] = backbone[f"{theirs}.layer_scale{n}.lambda1"]
    return renamed


@torch.no_grad()
def main() -> None:
    values = {
        "image_tokens": image_tokens().numpy(),
        "token_ids": token_ids()[:, :16].numpy(),
        "text_features": text_features().numpy(),
        "relative_depth": relative_depth()[::7, ::7].numpy(),
    }
    np.savez_compressed(Path(__file__).with_name("values.npz"), **values)


if __name__ == "__main__":
    main()
