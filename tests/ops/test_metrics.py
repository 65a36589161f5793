import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tr2m.ops.metrics import METRICS, depth_metrics

depths = arrays(np.float64, st.integers(2, 40), elements=st.floats(0.01, 80))


def test_a_prediction_a_quarter_too_far_everywhere():
    depth = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
    metrics = depth_metrics(1.25 * depth, depth)
    expected = {
        "abs_rel": 0.25,
        "sq_rel": 0.0625 * 3.75,
        "rmse": 0.25 * math.sqrt(85 / 4),
        "rmse_log": 0.22314,
        "log10": 0.09691,
        "silog": 0.0,
        "delta1": 0.0,  # the threshold is strict
        "delta2": 1.0,
        "delta3": 1.0,
    }
    assert metrics == pytest.approx(expected, abs=1e-5)
    assert tuple(metrics) == METRICS


@settings(max_examples=50, deadline=None)
@given(depths, st.integers(0, 2**32 - 1))
def test_equal_an_independent_implementation(depth: np.ndarray, seed: int):
    prediction = depth * np.exp(np.random.default_rng(seed).normal(0, 0.3, len(depth)))
    metrics = depth_metrics(torch.from_numpy(prediction), torch.from_numpy(depth))
    thresh = np.max([depth / prediction, prediction / depth], axis=0)
    err = np.log(prediction) - np.log(depth)
    assert metrics["abs_rel"] == pytest.approx(np.mean(np.abs(depth - prediction) / depth), rel=1e-9)
    assert metrics["sq_rel"] == pytest.approx(np.mean((depth - prediction) ** 2 / depth), rel=1e-9)
    assert metrics["rmse"] == pytest.approx(np.sqrt(np.mean((depth - prediction) ** 2)), rel=1e-9)
    assert metrics["rmse_log"] == pytest.approx(np.sqrt(np.mean(err**2)), rel=1e-9)
    assert metrics["log10"] == pytest.approx(np.mean(np.abs(err)) / np.log(10), rel=1e-9)
    # mean(e^2) - mean(e)^2 loses digits where e hardly varies, hence the absolute tolerance.
    assert metrics["silog"] == pytest.approx(100 * np.sqrt(max(np.mean(err**2) - np.mean(err) ** 2, 0)), abs=1e-4)
    for n in (1, 2, 3):
        assert metrics[f"delta{n}"] == pytest.approx(np.mean(thresh < 1.25**n))
    assert metrics["delta1"] <= metrics["delta2"] <= metrics["delta3"]


def test_float32_depth_is_compared_in_float64():
    prediction, depth = torch.tensor([1.1, 2.7, 3.3]), torch.tensor([1.0, 2.3, 3.1])
    p, g = (values.numpy().astype(np.float64) for values in (prediction, depth))
    assert depth_metrics(prediction, depth)["abs_rel"] == pytest.approx(np.mean(np.abs(p - g) / g), rel=1e-12)
