"""All gradients of a step in one buffer, summed over the processes together with what they have to agree on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tr2m.distributed import sum_over_processes


class GradientBuffer:
    """The gradients of `parameters` as views of one flat tensor, followed by sums of the loss terms and of images.

    A batch may be split over processes and accumulated parts of unequal size; a process may even have no image of it.
    Each part adds its gradient and its terms weighted by its images, and one all-reduce carries all of it. So
    every process has the same means, and comes to the same decision about them, without a second message.

    Args:
        parameters: float32, on one device; their `.grad` belongs to this buffer from here on.
        terms: names of the loss terms.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], terms: Sequence[str]) -> None:
        self.terms = tuple(terms)
        sizes = [parameter.numel() for parameter in parameters]
        self.flat = torch.zeros(sum(sizes) + len(self.terms) + 1, device=parameters[0].device)
        *gradients, self._sums, self._images = self.flat.split([*sizes, len(self.terms), 1])
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.view_as(parameter)

    def clear(self) -> None:
        self.flat.zero_()

    def add(self, terms: dict[str, Tensor], images: int) -> None:
        """Backward through `terms["total"]`, the mean over the `images` of one part of the batch."""
        (terms["total"] * images).backward()
        self._sums += torch.stack([terms[name].detach().float() for name in self.terms]) * images
        self._images += images

    def average(self) -> dict[str, Tensor]:
        """Make the gradients those of the mean over all images of all processes, and return the terms' means."""
        sum_over_processes(self.flat)
        self.flat /= self._images.clone()
        return dict(zip(self.terms, self._sums.clone(), strict=True))
