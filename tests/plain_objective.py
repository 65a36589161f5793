"""Eq. 4 to 9 a second time, image by image and pixel by pixel, for the plain loop to share no loss with the trainer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tr2m.types import ContrastFeatures, DepthBatch, TR2MOutput


@dataclass(frozen=True)
class PlainObjective:
    """The default forms only: SILog as printed, pseudo depth in inverse depth, smoothness of the maps themselves."""

    weights: dict[str, float]
    variance_focus: float
    threshold: float
    classes: int

    def __call__(
        self, output: TR2MOutput, contrast: ContrastFeatures, relative_depth: Tensor, batch: DepthBatch
    ) -> dict[str, Tensor]:
        images = range(len(batch.image))
        scored = [self.silog(output.metric_depth[i], batch.depth[i], batch.valid[i]) for i in images]
        pseudo = [self.pseudo(output.metric_depth[i], relative_depth[i], batch, i) for i in images]
        terms = {
            "silog": sum(scored) / len(scored),
            "pseudo": sum(pseudo) / len(pseudo),
            "contrast": self.contrast(contrast, batch),
            "smoothness": sum(
                self.roughness(values[i], batch.image[i])
                for values in (output.scale_map, output.shift_map)
                for i in images
            )
            / len(images),
        }
        terms["total"] = sum(self.weights[name] * value for name, value in terms.items())
        return terms

    def silog(self, prediction: Tensor, depth: Tensor, valid: Tensor) -> Tensor:
        error = torch.log(prediction[valid] / depth[valid])
        return (error**2).mean() - self.variance_focus * error.mean() ** 2

    def pseudo(self, prediction: Tensor, relative: Tensor, batch: DepthBatch, image: int) -> Tensor:
        depth, valid = batch.depth[image], batch.valid[image]
        x, y = relative[valid].double().numpy(), 1 / depth[valid].double().numpy()
        scale, shift = np.polyfit(x, y, 1)
        inverse = scale * relative.double() + shift
        low, high = batch.depth_range
        usable = (inverse > 1 / high) & (inverse < 1 / low)
        fitted = (1 / inverse).float()
        ratio = torch.maximum(fitted / depth, depth / fitted)[valid]
        good = ((ratio < 1.25) & usable[valid]).float().mean()
        return self.silog(prediction, fitted, usable) * (good > self.threshold)

    def contrast(self, features: ContrastFeatures, batch: DepthBatch) -> Tensor:
        """Eq. 7 and 8 for one query after another."""
        labels = [self.labels(batch.depth[i], batch.valid[i], features) for i in range(len(batch.image))]
        losses = []
        for i, queries in enumerate(features.queries):
            others = [i] if features.partner is None else [i, int(features.partner[i])]
            for (row, column), label in labels[i].items():
                positives, negatives = [], []
                for image in others:
                    wrong = []
                    for (r, c), other in labels[image].items():
                        cosine = F.cosine_similarity(queries[:, row, column], features.keys[image][:, r, c], dim=0)
                        (positives if other == label else wrong).append(cosine)
                    negatives.append(sum(wrong) / len(wrong) if wrong else torch.zeros(()))
                positive = (sum(positives) / len(positives)).exp()
                losses.append(-torch.log(positive / (positive + sum(negatives).exp())))
        return sum(losses) / len(losses)

    def labels(self, depth: Tensor, valid: Tensor, features: ContrastFeatures) -> dict[tuple[int, int], int]:
        """Class of each cell that has ground truth."""
        rows, columns = features.queries.shape[-2:]
        side = 14 * features.stride
        near, far = depth[valid].min(), depth[valid].max()
        found = {}
        for row in range(rows):
            for column in range(columns):
                cell = (slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side))
                if valid[cell].any():
                    mean = depth[cell][valid[cell]].mean()
                    found[row, column] = round(float((far - mean) / (far - near)) * self.classes)
        return found

    def roughness(self, values: Tensor, image: Tensor) -> Tensor:
        across = (values[:, 1:] - values[:, :-1]).abs()
        down = (values[1:] - values[:-1]).abs()
        edge_across = (image[:, :, 1:] - image[:, :, :-1]).abs().sum(0) / 3
        edge_down = (image[:, 1:] - image[:, :-1]).abs().sum(0) / 3
        return (across * math.e**-edge_across).mean() + (down * math.e**-edge_down).mean()


def project(projector: torch.nn.Module, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """A.3.1 by matrix products: each layer, ReLU, then the maximum of each window."""
    height, width = grid
    values = tokens.unflatten(1, (height, width))
    for layer in (projector.reduce, projector.expand):
        values = (values @ layer.weight[:, :, 0, 0].T + layer.bias).clamp(min=0)
        rows = [band.amax(1) for band in values.split(projector.pool, dim=1)]
        columns = [band.amax(2) for band in torch.stack(rows, 1).split(projector.pool, dim=2)]
        values = torch.stack(columns, 2)
    return values.permute(0, 3, 1, 2)
