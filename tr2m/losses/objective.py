"""The sum of all training objectives (Eq. 9)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tr2m.errors import UserError
from tr2m.limits import NonNegativeFloat
from tr2m.losses.contrast import ScaleOrientedContrast
from tr2m.losses.image_contrast import ImageContrast
from tr2m.losses.pseudo_depth import PseudoDepthLoss
from tr2m.losses.silog import SILogLoss, mean_over_images
from tr2m.losses.smoothness import EdgeAwareSmoothness
from tr2m.ops.depth_classes import cell_depth, depth_classes, depth_extent
from tr2m.types import ContrastFeatures, DepthBatch, DepthOutput, TR2MOutput

TERMS = ("silog", "pseudo", "contrast", "smoothness")


class Objective(nn.Module):
    """total = sum of weight * term over silog, pseudo, contrast, smoothness                                (Eq. 9)

    `image_contrast`, where it is given, is a fifth term, which is not in the paper.
    """

    def __init__(
        self,
        silog: SILogLoss,
        pseudo: PseudoDepthLoss,
        contrast: ScaleOrientedContrast,
        smoothness: EdgeAwareSmoothness,
        weights: dict[str, NonNegativeFloat],
        image_contrast: ImageContrast | None = None,
    ) -> None:
        super().__init__()
        self.terms = TERMS if image_contrast is None else (*TERMS, "image_contrast")
        if set(weights) != set(self.terms):
            raise ValueError(f"objective weights name {sorted(weights)}, expected {sorted(self.terms)}")
        if not any(weights.values()):
            raise UserError("objective.weights are all 0, expected one above: there is nothing to train for")
        self.image_contrast = image_contrast
        self.silog, self.pseudo, self.contrast, self.smoothness = silog, pseudo, contrast, smoothness
        self.weights = weights

    def forward(
        self,
        output: DepthOutput,
        contrast: ContrastFeatures | None,
        relative_depth: Float[Tensor, "B H W"] | None,
        batch: DepthBatch,
    ) -> dict[str, Tensor]:
        """The terms, their weighted `total`, and `pseudo_gate`, the share of images whose pseudo depth was used.

        A model without contrast, relative depth or maps does not have its term, which then is 0.

        Raises:
            ValueError: a term that the model does not have has a weight.
        """
        metric_depth, depth, valid = output.metric_depth, batch.depth, batch.valid
        terms, gate = {"silog": mean_over_images(self.silog(metric_depth, depth, valid), valid)}, depth.new_zeros(())
        if relative_depth is not None:
            terms["pseudo"], gate = self.pseudo(metric_depth, relative_depth, depth, valid, batch.depth_range)
            if self.image_contrast is not None:
                terms["image_contrast"] = self.image_contrast(output.fused_tokens, relative_depth, depth, valid)
        if contrast is not None:
            # A cell of the projected features covers this many pixels a side.
            cell = batch.image.shape[-2] // output.grid[0] * contrast.stride
            if not float(cell).is_integer():
                raise UserError(f"a cell of the contrast covers {cell} pixels a side: change contrast.projector.pool")
            cells, extent = cell_depth(depth, valid, int(cell)), depth_extent(depth, valid)
            labels = depth_classes(*cells, *extent, self.contrast.classes)
            terms["contrast"] = self.contrast(contrast.queries, contrast.keys, labels, contrast.partner)
        if isinstance(output, TR2MOutput):
            maps = (output.scale_map, output.shift_map)
            terms["smoothness"] = torch.stack([self.smoothness(values, batch.image) for values in maps]).sum()
        if absent := [name for name in self.terms if name not in terms and self.weights[name]]:
            raise ValueError(f"this model has no {', '.join(absent)}: set objective.weights.{absent[0]}=0")
        # Not 0 times a term, whose gradient would be NaN where the term's own is infinite.
        total = sum(weight * terms[name] for name, weight in self.weights.items() if weight and name in terms)
        every = {name: terms.get(name, depth.new_zeros(())) for name in self.terms}
        return every | {"total": total, "pseudo_gate": gate}
