import pytest

from tr2m.training.schedule import ExponentialPerEpoch, OneCycle


def test_exponential_holds_within_an_epoch():
    schedule = ExponentialPerEpoch(0.9)
    assert [schedule(step, 3, 9) for step in (0, 2, 3, 5, 6)] == pytest.approx([1, 1, 0.9, 0.9, 0.81])


def test_one_cycle_rises_peaks_and_ends_low():
    schedule = OneCycle(warmup=0.2, final=0.01)
    factors = [schedule(step, 10, 100) for step in range(100)]
    assert factors[0] == pytest.approx(0.05)
    assert max(factors) == pytest.approx(1.0, abs=1e-3)
    assert 18 <= factors.index(max(factors)) <= 20
    assert factors[-1] == pytest.approx(0.01)
