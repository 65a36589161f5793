"""The average over time and the rule for shots, against numbers worked out by hand."""

import numpy as np
import pytest
from clips import room, street

from tr2m.inference.predict import Prediction
from tr2m.video.steady import average, colour_shares, is_new_shot, steady_depth

SIZE = (48, 80)


def prediction(scale: float, shift: float, relative: float = 2.0, depth: float = 7.0) -> Prediction:
    """`depth` is not what the maps give, so that it shows where it comes from."""
    values = {"metric_depth": depth, "scale_map": scale, "shift_map": shift, "relative_depth": relative}
    maps = {name: np.full(SIZE, value, np.float32) for name, value in values.items()}
    return Prediction(**maps, caption_spread=np.zeros(SIZE, np.float32), unit="m", network_size=(28, 42))


def test_maps_are_averaged_geometrically_and_depth_follows_from_eq_3():
    image = room(0)
    depth, state = steady_depth(prediction(1.0, 0.1), image, None, 0.75)
    assert (state.shot, depth[0, 0]) == (0, 7)
    depth, state = steady_depth(prediction(16.0, 0.1 * 16, relative=3.0), image, state, 0.75)
    # 16^0.25 = 2 for both maps: 1 / (2 * 3 + 0.2).
    np.testing.assert_allclose(state.scale_map, 2, rtol=1e-6)
    np.testing.assert_allclose(depth, 1 / 6.2, rtol=1e-6)
    depth, state = steady_depth(prediction(2.0, 0.2, relative=0.5), image, state, 0.75)
    np.testing.assert_allclose(depth, 1 / 1.2, rtol=1e-6)


def test_without_smoothing_each_frame_is_its_own():
    state = None
    for scale in (1.0, 5.0, 0.2):
        depth, state = steady_depth(prediction(scale, 0.1, depth=scale), room(0), state, 0)
        np.testing.assert_array_equal(depth, np.float32(scale))


def test_a_new_shot_starts_anew():
    _, state = steady_depth(prediction(1.0, 0.1), room(0), None, 0.75)
    _, state = steady_depth(prediction(16.0, 1.6), room(1), state, 0.75)
    assert (state.shot, round(float(state.scale_map[0, 0]), 5)) == (0, 2)
    depth, state = steady_depth(prediction(16.0, 1.6), street(2), state, 0.75)
    assert (state.shot, depth[0, 0]) == (1, 7)
    np.testing.assert_array_equal(state.scale_map, 16)


def test_the_rule_for_a_new_shot():
    red, blue = np.zeros((10, 10, 3), np.uint8), np.zeros((10, 10, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 200
    for rows, new in ((5, False), (6, True)):
        mixed = red.copy()
        mixed[:rows] = blue[:rows]
        # 50 % and 60 % of the pixels have another colour; where they are does not matter.
        assert is_new_shot(colour_shares(red), colour_shares(mixed[::-1])) is new
    assert colour_shares(red).sum() == pytest.approx(1)
    assert not is_new_shot(colour_shares(room(0)), colour_shares(room(3)))
    assert is_new_shot(colour_shares(room(0)), colour_shares(street(0)))


def test_a_pixel_that_is_lost_in_one_frame_is_not_lost_for_the_shot():
    old, new = np.array([[1, np.nan, 4, np.nan]]), np.array([[np.nan, 9, np.inf, np.nan]])
    np.testing.assert_array_equal(average(old, new, 0.5), [[1, 9, 4, np.nan]])
    broken = prediction(16.0, 1.6, relative=3.0)
    broken.scale_map[0, 0] = broken.shift_map[0, 0] = np.nan
    _, state = steady_depth(prediction(4.0, 0.4), room(0), None, 0.5)
    depth, state = steady_depth(broken, room(0), state, 0.5)
    # The mean so far there, 4 and 0.4; elsewhere that of both, 8 and 0.8.
    assert (depth[0, 0], depth[1, 1]) == (pytest.approx(1 / 12.4), pytest.approx(1 / 24.8))
    depth, _ = steady_depth(prediction(4.0, 0.4), room(0), state, 0.5)
    assert np.isfinite(depth).all()


def test_a_map_that_is_off_stays_off():
    zero, one = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)
    np.testing.assert_array_equal(average(zero, zero, 0.75), 0)
    np.testing.assert_array_equal(average(one, one, 0.75), 1)
