"""In what precision the networks compute."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def pick_precision(precision: Precision, device: torch.device, training: bool) -> torch.dtype:
    """float32 or bfloat16; "auto" is the fastest that `device` has instructions for. On a CPU it leaves training in
    float32, which is resumed bit for bit.
    """
    if precision == "auto":
        fast = device.type == "cuda" or (device.type == "cpu" and not training and cpu_has_bfloat16())
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def name_of(precision: torch.dtype) -> Precision:
    return "bfloat16" if precision == torch.bfloat16 else "float32"


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself (AVX512-BF16 or AMX); others are slower in it than in
    float32.
    """
    # torch.cpu.get_capabilities, which is public, is younger than the oldest torch that pyproject.toml admits.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def mixed_precision(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Matrix products, convolutions and attention in `precision`; weights, and what else they meet, stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16)


def full_precision(device: torch.device) -> torch.autocast:
    """float32 inside `mixed_precision`: for what bfloat16's 8 bits would spoil."""
    return torch.autocast(device.type, enabled=False)
