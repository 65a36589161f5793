"""Who is best in a column, who is second, and the mean rank over columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Mark = Literal["", "best", "second"]


def larger_is_better(metric: str) -> bool:
    return metric.startswith("delta")


def marks(values: Sequence[float | None], larger: bool) -> list[Mark]:
    """Best and second best of the values that there are; equal values share a mark. One value alone is no contest."""
    ranked = sorted({value for value in values if value is not None}, reverse=larger)
    if sum(value is not None for value in values) < 2:
        return ["" for _ in values]
    names: dict[float, Mark] = dict(zip(ranked, ("best", "second"), strict=False))
    return ["" if value is None else names.get(value, "") for value in values]


def mean_ranks(columns: Sequence[Sequence[float | None]], larger: Sequence[bool]) -> list[float | None]:
    """Each row's mean rank over the columns, 1 is best; equal values share the better rank.

    Only rows with a value in every column take part, and only if there are two of them.
    """
    rows = {row: [value for column in columns if (value := column[row]) is not None] for row in range(len(columns[0]))}
    complete = {row: values for row, values in rows.items() if len(values) == len(columns)}
    if len(complete) < 2:
        return [None] * len(columns[0])
    ranks = {
        row: [
            1 + sum(other[column] > own[column] if up else other[column] < own[column] for other in complete.values())
            for column, up in enumerate(larger)
        ]
        for row, own in complete.items()
    }
    return [sum(ranks[row]) / len(columns) if row in ranks else None for row in range(len(columns[0]))]
