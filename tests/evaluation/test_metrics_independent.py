"""The metrics against a second implementation: NumPy in float64, one loop over images, one formula a line."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from world import Flat

from tr2m.data.eval_regions import FullFrame
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.types import DepthBatch, Frame

PROTOCOL = Protocol("paper", 1e-3, 10.0, FullFrame())


class Random(Flat):
    """Frames of random depth and random holes, in any order, with a random prediction for each."""

    def __init__(self, seed: int, order: list[int]) -> None:
        super().__init__(depths=[1.0] * len(order), pixels=[0] * len(order))
        self.seed = seed
        self.sample_ids = [f"flat/{index}" for index in order]

    def pair(self, sample_id: str) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, int(sample_id.split("/")[1])])
        depth = rng.uniform(0.01, 12, (28, 42)).astype(np.float32) * (rng.random((28, 42)) < rng.uniform(0.1, 1))
        return depth, (rng.uniform(0.3, 2, (28, 42)) * rng.uniform(0.5, 8)).astype(np.float32)

    def read_frame(self, index: int) -> Frame:
        return Frame(np.zeros((28, 42, 3), np.uint8), self.pair(self.sample_ids[index])[0])


@dataclass
class Lookup:
    dataset: Random
    kind: str = "metric_depth"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        return torch.from_numpy(self.dataset.pair(batch.sample_ids[0])[1])[None]


def reference(dataset: Random) -> dict[str, float]:
    rows = []
    for sample_id in dataset.sample_ids:
        g, p = (array.astype(np.float64) for array in dataset.pair(sample_id))
        p = np.clip(p, 1e-3, 10)
        keep = (g > 1e-3) & (g < 10)
        g, p = g[keep], p[keep]
        e = np.log(p) - np.log(g)
        rows.append(
            {
                "abs_rel": np.mean(np.abs(g - p) / g),
                "sq_rel": np.mean((g - p) ** 2 / g),
                "rmse": np.sqrt(np.mean((g - p) ** 2)),
                "rmse_log": np.sqrt(np.mean(e**2)),
                "log10": np.mean(np.abs(np.log10(g) - np.log10(p))),
                "silog": 100 * np.sqrt(np.mean(e**2) - np.mean(e) ** 2),
                **{f"delta{n}": np.mean(np.maximum(g / p, p / g) < 1.25**n) for n in (1, 2, 3)},
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def measured(dataset: Random) -> dict[str, float]:
    return evaluate(Lookup(dataset), [EvaluationSet(dataset, PROTOCOL)], torch.device("cpu"), 0)[0].result["metrics"]


@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_a_second_implementation(seed: int):
    dataset = Random(seed, [0, 1, 2, 3])
    assert measured(dataset) == pytest.approx(reference(dataset), rel=1e-6, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations(range(4)))
def test_the_order_of_the_frames_does_not_matter(seed: int, order: list[int]):
    assert measured(Random(seed, list(order))) == pytest.approx(measured(Random(seed, [0, 1, 2, 3])), rel=1e-12)
