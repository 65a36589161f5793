"""torch.compile for the networks of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tr2m.models.frozen.frozen_module import FrozenModule

# Not the text encoder: it runs once a caption.
COMPILED = ("image_encoder", "relative_depth", "rescale_encoder", "decoder", "scale_head", "shift_head")
# Of one piece of a network; torch's 8 are fewer than four data sets, their smaller last batches and single frames in
# validation.
MAX_SHAPES = 64


def compile_networks(model: nn.Module, backend: str | Callable[..., Any] = "inductor") -> None:
    """Let torch.compile fuse what the networks of `model` do, those of COMPILED that it has, in place: names and state
    dicts stay as they are.

    Each size of a batch is compiled once, at its first use. A frozen network is compiled by `FrozenModule.pieces`: its
    equal blocks share what was compiled for the first one.
    """
    torch.compiler.config.recompile_limit = MAX_SHAPES
    for name, network in model.named_children():
        if name in COMPILED:
            compile_pieces(network, backend)


def compile_pieces(network: nn.Module, backend: str | Callable[..., Any] = "inductor") -> None:
    """Let torch.compile fuse what one network does."""
    for piece in network.pieces() if isinstance(network, FrozenModule) else [network]:
        piece.compile(dynamic=False, backend=backend)
