"""Numbers and colours that the page shows, against ones worked out by hand."""

import base64

import numpy as np
import pytest

from tr2m.app import map_view, views
from tr2m.app.answer import Alternatives
from tr2m.inference.predict import Prediction

DEPTH = np.linspace(1, 3, 101, dtype=np.float32)[None].repeat(2, axis=0)


def prediction(unit: str = "m") -> Prediction:
    spread = np.full_like(DEPTH, 0.25)
    fields = {"metric_depth": DEPTH, "scale_map": DEPTH * 2, "shift_map": DEPTH * 3, "relative_depth": DEPTH}
    return Prediction(**fields, caption_spread=spread, unit=unit, network_size=(28, 42))


def test_a_payload_has_every_nth_value_and_the_bars_colours(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(map_view, "MAX_SENT", 51)
    values, step = map_view.thinned(DEPTH)
    assert (step, values.shape) == (2, (1, 51))
    sent = map_view.DrawnMap("a wide room", values, step, "m", "gray", (1.0, 3.0), {1}).payload()
    decoded = np.frombuffer(base64.b64decode(sent["values"]), "<f4").reshape(sent["height"], sent["width"])
    np.testing.assert_array_equal(decoded, DEPTH[:1, ::2])
    assert sent["step"] == 2
    assert (sent["colours"][0], sent["colours"][-1]) == ([0, 0, 0], [255, 255, 255])
    assert [word["text"] for word in sent["words"] if word["strong"]] == ["wide"]


def test_the_maps_of_a_prediction():
    maps = views.main_maps(prediction(), several=True)
    units = {"depth": "m", "scale": "1/m", "shift": "1/m", "spread": "%"}
    assert {name: drawn.unit for name, drawn in maps.items()} == units
    # 2 % and 98 % of an even ramp from 1 to 3.
    assert maps["depth"].limits == pytest.approx((1.04, 2.96))
    assert maps["scale"].limits == pytest.approx((2.08, 5.92))
    assert maps["spread"].limits == pytest.approx((0, 25))
    np.testing.assert_allclose(maps["shift"].values, DEPTH * 3)
    assert "spread" not in views.main_maps(prediction(), several=False)


def test_two_sentences_share_a_colour_bar_and_their_difference_is_in_per_cent_around_zero():
    alternatives = Alternatives(["a tiny red room", "a huge red room"], [DEPTH, DEPTH * 1.5], 4, "mm")
    maps = views.compared_maps(alternatives, 0, 1)
    assert maps["first"].limits == maps["second"].limits
    assert maps["first"].limits[0] < 1.2
    assert maps["second"].limits[1] > 4
    assert (maps["first"].strong, maps["second"].strong) == ({1}, {1})
    np.testing.assert_allclose(maps["difference"].values, 50, rtol=1e-5)
    assert maps["difference"].limits == pytest.approx((-50, 50))
    assert {drawn.step for drawn in maps.values()} == {4}
    np.testing.assert_allclose(views.compared_maps(alternatives, 1, 0)["difference"].values, -100 / 3, rtol=1e-5)
    # No change is white, not full of colour.
    assert views.compared_maps(alternatives, 1, 1)["difference"].limits == (-1, 1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("a room", "a room", (set(), set())),
        ("a small room", "a room", ({1}, set())),
        ("a room", "a very large room", (set(), {1, 2})),
        ("one two", "three", ({0, 1}, {0})),
    ],
)
def test_changed_words(first: str, second: str, expected: tuple[set[int], set[int]]):
    assert views.changed_words(first, second) == expected


def test_numbers_in_short():
    facts = views.numbers(prediction("mm"), several=True)
    assert facts == {
        "5 % are nearer than": "1.1 mm",
        "median": "2 mm",
        "5 % are farther than": "2.9 mm",
        "spread over the sentences": "25 %",
        "seen by the network at": "28 x 42",
    }
    assert "spread over the sentences" not in views.numbers(prediction(), several=False)


def test_a_map_without_a_number_still_has_a_bar():
    holes = DEPTH.copy()
    holes[0, 50] = np.nan
    holes[1, 50] = np.inf
    assert views.limits_of(holes) == pytest.approx((1.04, 2.96), abs=0.01)
    assert views.limits_of(np.full((2, 2), np.nan)) == (0.0, 1.0)
