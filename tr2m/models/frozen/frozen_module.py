"""Pretrained networks that TR2M reads and never trains."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tr2m.models.finite import check_finite

Network = TypeVar("Network", bound=nn.Module)


class FrozenModule(nn.Module):
    """Holds a network whose weights no optimiser sees and no checkpoint carries.

    The weights become non-persistent buffers: they move with `.to(device)`, but are neither parameters nor part of the
    state dict. The network stays in eval mode whatever `.train()` is called on around it. Raises UserError if a weight
    is NaN or infinite.
    """

    network: Any
    """Of another library, with whatever methods it has."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        check_finite(dict(network.named_parameters()), type(self).__name__)
        self.num_weights = sum(parameter.numel() for parameter in network.parameters())
        for module in network.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)
        self.network = network
        self.precision = torch.float32
        self._fingerprint: str | None = None
        self.train(False)

    def train(self, mode: bool = True) -> FrozenModule:
        return super().train(False)

    def set_precision(self, precision: torch.dtype) -> None:
        """Hold the weights in `precision`, which the network then computes in, without autocast. Raises ValueError if
        they were rounded before: their float32 values are gone.
        """
        if precision == self.precision:
            return
        if self.precision != torch.float32:
            raise ValueError(f"{type(self).__name__} is in {self.precision} and cannot go back to {precision}")
        # That of the published weights.
        self.fingerprint()
        self.network.to(precision)
        self.precision = precision

    def pieces(self) -> list[nn.Module]:
        """The parts of the network that torch.compile takes each by itself: equal blocks are compiled once."""
        return [self.network]

    def replayed(self) -> nn.Module:
        """The module whose forward is recorded as a CUDA graph: tensors in, tensors out."""
        return self

    def fingerprint(self) -> str:
        """SHA-256 of all weights and buffers in float32: a checkpoint stores it, loading compares it."""
        if self._fingerprint is None:
            digest = hashlib.sha256()
            for name, tensor in self._named_tensors():
                digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
                digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def _named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        return iter(sorted(self.network.named_buffers(), key=lambda pair: pair[0]))


def build_with_seed(make: Callable[[], Network], seed: int) -> Network:
    """`make()` with random weights that depend on `seed` alone: random encoders must be the same in evaluation."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()
