"""What every model that describes pictures has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn

from tr2m.errors import UserError

Loaded = TypeVar("Loaded")


class Captioner(ABC):
    """Describes one picture after the other.

    Args:
        network: the model.
        name: which captions these are, for result files.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        self.network = network.eval()
        self.description = f"{name}, line 1"

    def to(self, device: torch.device) -> Captioner:
        self.network.to(device)
        return self

    @abstractmethod
    def describe(self, image: UInt8[np.ndarray, "H W 3"]) -> list[str]:
        """Sentences about an RGB image, always as many, each on one line."""


def load_from(repo_id: str, load: Callable[[], Loaded]) -> Loaded:
    """What `load` makes of the files of a hub repository. Raises UserError if they are not what transformers wants."""
    try:
        return load()
    except (OSError, ValueError) as error:
        raise UserError(f"{repo_id}: transformers cannot load it: {error}. Fetch all of its files again.") from error
