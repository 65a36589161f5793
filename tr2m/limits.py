"""The values that an option may take, stated in its type: `epochs: PositiveInt`. `tr2m.build` enforces them."""

from __future__ import annotations

import math
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Limit:
    """A number between two bounds, finite and no truth value.

    Args:
        low, high: the bounds.
        open_low, open_high: whether a bound itself is excluded.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def allows(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        low, high = f"{'above' if self.open_low else 'at least'} {self.low:g}", f"{self.high:g}"
        return low if self.high == math.inf else f"{low} and {'below' if self.open_high else 'at most'} {high}"


@dataclass(frozen=True)
class Length:
    """A list of `count` values, which are `names`."""

    count: int
    names: str

    def allows(self, value: object) -> bool:
        return isinstance(value, Sized) and len(value) == self.count

    def __str__(self) -> str:
        return self.names


PositiveInt = Annotated[int, Limit(1)]
NonNegativeInt = Annotated[int, Limit(0)]
PositiveFloat = Annotated[float, Limit(0, open_low=True)]
NonNegativeFloat = Annotated[float, Limit(0)]
Share = Annotated[float, Limit(0, 1)]
"""From 0 to 1."""
ShareBelowOne = Annotated[float, Limit(0, 1, open_high=True)]
# numpy's generators take no negative seed, torch's none beyond 64 bits.
Seed = Annotated[int, Limit(0, 2**63 - 1)]
Size = Annotated[Sequence[PositiveInt], Length(2, "(height, width) in pixels")]
