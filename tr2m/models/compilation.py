"""torch.compile for the networks of TR2M."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tr2m.models.tr2m import TR2M


def compile_networks(model: TR2M, backend: str | Callable[..., Any] = "inductor") -> None:
    """Let torch.compile fuse what the frozen encoders, the fusion and the heads do, in place: names and state dicts
    stay as they are.

    Each size of a batch is compiled once, at its first use, which takes about a minute. The text encoder stays as it
    is: it runs once a caption.
    """
    for network in (
        model.image_encoder,
        model.relative_depth,
        model.rescale_encoder,
        model.scale_head,
        model.shift_head,
    ):
        network.compile(dynamic=False, backend=backend)
