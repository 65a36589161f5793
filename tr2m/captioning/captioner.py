"""What every model that describes pictures has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn

from tr2m.errors import UserError
from tr2m.models.frozen.weights import find_repository


class Captioner(ABC):
    """Describes one picture after the other.

    Args:
        network: the model.
        name: which captions these are, for result files.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        self.network: Any = network.eval()
        self.description = f"{name}, line 1"

    def to(self, device: torch.device) -> Captioner:
        self.network.to(device)
        return self

    @abstractmethod
    def describe(self, image: UInt8[np.ndarray, "H W 3"]) -> list[str]:
        """Sentences about an RGB image, always as many, each on one line."""


def load_from(repo_id: str, kind: type, **options: Any) -> Any:
    """A model or processor of transformers, or what one of its Auto classes finds, from the files of a hub repository.

    Raises:
        UserError: the repository cannot be found, or its files are not what transformers wants.
    """
    folder = find_repository(repo_id)
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"{repo_id}: transformers cannot load it: {error}. Fetch all of its files again.") from error
