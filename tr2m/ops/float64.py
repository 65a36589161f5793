"""float64 on every device."""

from __future__ import annotations

from torch import Tensor


def to_float64(values: Tensor) -> Tensor:
    """The values in float64: on their device, or on the CPU where the device has none (Apple's MPS)."""
    return (values.cpu() if values.device.type == "mps" else values).double()
