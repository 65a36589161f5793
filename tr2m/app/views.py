"""A prediction as maps to look at and numbers to read."""

from __future__ import annotations

from dataclasses import replace
from difflib import SequenceMatcher

import numpy as np
from jaxtyping import Float

from tr2m.app.answer import Alternatives
from tr2m.app.map_view import DrawnMap, thinned
from tr2m.drawing.colours import DEPTH, DIFFERENCE, MAP
from tr2m.inference.predict import Prediction

SMALLEST_CHANGE = 1.0
"""Per cent at the end of a colour bar of changes at least: what is next to nothing must not look like much."""


def limits_of(*maps: Float[np.ndarray, "H W"]) -> tuple[float, float]:
    """The 2 % and the 98 % quantile of all finite values; (0, 1) where there is none."""
    known = np.concatenate([values[np.isfinite(values)] for values in maps])
    if not len(known):
        return 0.0, 1.0
    low, high = np.quantile(known, [0.02, 0.98]).tolist()
    return low, high


def main_maps(prediction: Prediction, several: bool) -> dict[str, DrawnMap]:
    """Depth, scale map, shift map, and the spread over the sentences where there are `several`."""

    def drawn(title: str, values: Float[np.ndarray, "H W"], unit: str, colours: str) -> DrawnMap:
        return DrawnMap(title, *thinned(values), unit, colours, limits_of(values))

    unit = prediction.unit
    spread = drawn("Spread over the sentences", prediction.caption_spread * 100, "%", MAP)
    spread = replace(spread, limits=(0.0, max(SMALLEST_CHANGE, spread.limits[1])))
    return {
        "depth": drawn("Metric depth", prediction.metric_depth, unit, DEPTH),
        "scale": drawn("Scale map", prediction.scale_map, f"1/{unit}", MAP),
        "shift": drawn("Shift map", prediction.shift_map, f"1/{unit}", MAP),
        **({"spread": spread} if several else {}),
    }


def compared_maps(alternatives: Alternatives, first: int, second: int) -> dict[str, DrawnMap]:
    """The depth under two of the sentences, in the same colours, and how much farther away the second one puts each
    pixel, in per cent.
    """
    before, after = alternatives.depths[first], alternatives.depths[second]
    sentences = alternatives.sentences[first], alternatives.sentences[second]
    strong, limits = changed_words(*sentences), limits_of(before, after)
    change = (after / before - 1) * 100
    most = max(SMALLEST_CHANGE, *map(abs, limits_of(change)))
    step, unit = alternatives.step, alternatives.unit
    return {
        "first": DrawnMap(sentences[0], before, step, unit, DEPTH, limits, strong[0]),
        "second": DrawnMap(sentences[1], after, step, unit, DEPTH, limits, strong[1]),
        "difference": DrawnMap("Change: farther is red", change, step, "%", DIFFERENCE, (-most, most)),
    }


def changed_words(first: str, second: str) -> tuple[set[int], set[int]]:
    """Positions of the words of each sentence that the other one does not have there."""
    one, other = first.split(), second.split()
    changes = [c for c in SequenceMatcher(None, one, other, autojunk=False).get_opcodes() if c[0] != "equal"]
    return (
        {i for _, start, end, _, _ in changes for i in range(start, end)},
        {i for _, _, _, start, end in changes for i in range(start, end)},
    )


def numbers(prediction: Prediction, several: bool) -> dict[str, str]:
    """The depth in short: what is stated, and its value with the unit."""
    low, middle, high = (f"{value:,.3g} {prediction.unit}" for value in prediction.quantiles())
    facts = {"5 % are nearer than": low, "median": middle, "5 % are farther than": high}
    if several:
        spread = prediction.caption_spread[np.isfinite(prediction.metric_depth)].mean()
        facts["spread over the sentences"] = f"{spread * 100:.2g} %"
    height, width = prediction.network_size
    return facts | {"seen by the network at": f"{height} x {width}"}
