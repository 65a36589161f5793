"""In what precision the networks compute."""

from __future__ import annotations

import torch


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 on CUDA for matrix products, convolutions and attention; float32 elsewhere. Weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=network_precision(device) == "bfloat16")


def network_precision(device: torch.device) -> str:
    """What `mixed_precision` makes of matrix products on `device`."""
    return "bfloat16" if device.type == "cuda" else "float32"


def full_precision(device: torch.device) -> torch.autocast:
    """float32 inside `mixed_precision`: for what bfloat16's 8 bits would spoil."""
    return torch.autocast(device.type, enabled=False)
