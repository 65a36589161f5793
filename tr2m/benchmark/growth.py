"""A picture of how a benchmark's figures grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from tr2m.benchmark.measurement import Measurement
from tr2m.drawing.grid import new_figure, save


def varied(result: Measurement) -> list[str]:
    """The factors with more than one value."""
    return [factor for factor in result.factors if len({row[factor] for row in result.rows}) > 1]


def plot(result: Measurement, path: Path) -> None:
    """All measures against each varied factor, both axes logarithmic, a line for each setting of the other factors,
    under the device's name.
    """
    factors = varied(result)
    figure = new_figure(5 * len(result.measures), 4 * len(factors))
    grid = figure.subplots(len(factors), len(result.measures), squeeze=False)
    for factor, axes in zip(factors, grid, strict=True):
        others = [other for other in factors if other != factor]
        for axis, (unit, columns) in zip(axes, result.measures.items(), strict=True):
            for column in columns:
                for setting, points in lines(result.rows, factor, others, column):
                    axis.loglog(*zip(*points, strict=True), "o-", label=", ".join([column, *setting]))
            axis.set(xlabel="size (pixels)" if factor == "size" else factor, ylabel=unit)
            axis.legend(fontsize="small")
    figure.suptitle(f"{result.what} on {result.environment['device']}")
    save(figure, path)


def lines(
    rows: Sequence[dict[str, Any]], factor: str, others: Sequence[str], column: str
) -> list[tuple[list[str], list[tuple[float, float]]]]:
    """The other factors' values in words, and the points of `column` against `factor`, as far as it was measured."""

    def setting(row: dict[str, Any]) -> list[str]:
        return [f"{other} {row[other]}" for other in others]

    known = sorted((row for row in rows if row[column]), key=setting)
    return [
        (words, sorted((amount(row[factor]), row[column]) for row in group))
        for words, group in groupby(known, key=setting)
    ]


def amount(value: float | str) -> float:
    """A number, or the pixels of "434x560"."""
    return math.prod(map(int, value.split("x"))) if isinstance(value, str) else value
