"""Measure speed: python scripts/benchmark.py what=contrast. Prints ratios measured in one run, with the device's
name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from composition import pick_device, plain
from hydra_app import hydra_app
from omegaconf import DictConfig
from torch import Tensor

from tr2m.errors import UserError


@hydra_app("benchmark")
def main(config: DictConfig) -> None:
    settings = plain(config)
    benchmarks = {"contrast": benchmark_contrast}
    if settings["what"] not in benchmarks:
        raise UserError(f"what={settings['what']}: expected one of {', '.join(benchmarks)}")
    result = benchmarks[settings["what"]](settings)
    if settings["out"]:
        Path(settings["out"]).write_text(json.dumps(result, indent=2) + "\n")


def benchmark_contrast(settings: dict) -> dict:
    """Seconds for value and gradient of the contrast loss: the project's linear form, and Eq. 8 taken literally."""
    import torch

    from tr2m.losses.contrast import ScaleOrientedContrast
    from tr2m.training.run_log import environment

    device = pick_device(settings["device"])
    result = {"environment": environment(device), "rows": []}
    print(f"{result['environment']['device']}, torch {torch.__version__}, commit {result['environment']['git_commit']}")
    print("pixels   linear (s)   direct (s)   ratio   relative difference")
    for pixels in settings["pixels"]:
        generator = torch.Generator().manual_seed(0)
        shape = (2, settings["channels"], 1, pixels)
        queries, keys = (torch.randn(shape, generator=generator).to(device) for _ in range(2))
        labels = torch.randint(0, settings["classes"] + 1, (2, 1, pixels), generator=generator).to(device)
        partner = torch.tensor([1, 0], device=device)
        linear_loss = ScaleOrientedContrast(settings["classes"])
        linear = [measure(linear_loss, queries, keys, labels, partner) for _ in range(settings["repeats"])]
        seconds, value = min(seconds for seconds, _ in linear), linear[0][1]
        direct_seconds, direct_value = measure(direct_contrast, queries, keys, labels, partner)
        row = {"pixels": pixels, "linear_s": seconds, "direct_s": direct_seconds, "ratio": direct_seconds / seconds}
        difference = abs(direct_value - value) / abs(direct_value)
        print(f"{pixels:>6}   {seconds:>10.4f}   {direct_seconds:>10.3f}   {row['ratio']:>5.0f}   {difference:.1e}")
        result["rows"].append({**row, "relative_difference": difference})
    return result


def measure(loss: Callable[..., Tensor], queries: Tensor, *others: Tensor) -> tuple[float, float]:
    """Seconds for one forward and backward pass, and the loss."""
    import torch

    queries = queries.clone().requires_grad_(True)
    start = time.perf_counter()
    value = loss(queries, *others)
    value.backward()
    if queries.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start, value.item()


def direct_contrast(queries: Tensor, keys: Tensor, labels: Tensor, partner: Tensor | None, rows: int = 2048) -> Tensor:
    """Eq. 8 as it stands: every query against every key. `rows` queries at a time, recomputed in the backward pass,
    because the whole similarity matrix would not fit into memory.
    """
    import torch
    import torch.nn.functional as F
    from torch.utils.checkpoint import checkpoint

    queries, keys = (F.normalize(x.flatten(2), dim=1).transpose(1, 2) for x in (queries, keys))
    labels = labels.flatten(1)

    def block(query: Tensor, label: Tensor, images: list[int]) -> Tensor:
        similarity = [query @ keys[image].T for image in images]
        same = [label[:, None] == labels[image][None] for image in images]
        known = [(labels[image] >= 0)[None].expand_as(mask) for image, mask in zip(images, same, strict=True)]
        positives = sum(mask.sum(1) for mask in same)
        positive = sum((s * mask).sum(1) for s, mask in zip(similarity, same, strict=True)) / positives.clamp(min=1)
        others = [k & ~mask for k, mask in zip(known, same, strict=True)]
        negative = sum((s * o).sum(1) / o.sum(1).clamp(min=1) for s, o in zip(similarity, others, strict=True))
        loss = -torch.log(positive.exp() / (positive.exp() + negative.exp()))
        return (loss * (label >= 0)).sum()

    total = queries.sum() * 0
    for image in range(len(queries)):
        images = [image] if partner is None else [image, int(partner[image])]
        for start in range(0, queries.shape[1], rows):
            part = slice(start, start + rows)
            total = total + checkpoint(block, queries[image, part], labels[image, part], images, use_reentrant=False)
    return total / (labels >= 0).sum().clamp(min=1)


if __name__ == "__main__":
    main()
