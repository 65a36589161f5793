"""From result files to the cells of a table. Nothing that was measured differently ever shares one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tr2m.errors import UserError
from tr2m.paper.tables.layout import Layout, Row, Source

# What may differ inside a column: it belongs to the method, and stands below the table.
BELONGS_TO_THE_METHOD = {"alignment", "alignment_description", "caption_source", "input_size", "flip_tta"}


@dataclass(frozen=True)
class ResultFile:
    """A result file of `tr2m eval` or `tr2m train`."""

    path: Path
    content: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        return self.content["dataset"]

    @property
    def seed(self) -> int:
        """Of the training; 0 for what is not trained here."""
        return self.content.get("seed", 0)

    def is_of(self, source: Source) -> bool:
        content = self.content
        return (
            content.get("method") == source.method
            and content["protocol"]["alignment"] == source.alignment
            and content.get("captions", "correct") == source.captions
        )

    def conditions(self) -> dict[str, Any]:
        """What must be equal in a column."""
        protocol = {key: v for key, v in self.content["protocol"].items() if key not in BELONGS_TO_THE_METHOD}
        return {**protocol, "unit": self.content["unit"]}


@dataclass(frozen=True)
class Filled:
    """A table and what fills it: for each row and data set the results of its seeds."""

    layout: Layout
    results: Mapping[tuple[int, str], Sequence[ResultFile]]

    def values(self, row: int, dataset: str, metric: str) -> list[float]:
        return [result.content["metrics"][metric] for result in self.results.get((row, dataset), ())]


def read_results(folder: Path) -> list[ResultFile]:
    """All result files below `folder`, the oldest first. Raises UserError for a file that is none."""
    results = []
    for path in sorted(folder.glob("**/eval/*.json"), key=lambda path: (path.stat().st_mtime, path)):
        try:
            content = json.loads(path.read_text())
            _ = content["dataset"], content["metrics"], content["unit"], content["protocol"]["alignment"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise UserError(f"{path}: this is no result file ({error!r}); move it out of {folder}") from error
        results.append(ResultFile(path, content))
    return results


def fill(layout: Layout, results: Sequence[ResultFile], protocol: str, seeds: Sequence[int]) -> Filled:
    """For every cell its results under `protocol`, one for each seed; the newest counts.

    Raises:
        UserError: two results of one column differ in protocol, unit or split.
    """
    chosen = {
        (number, dataset): newest(results, row, dataset, protocol, seeds)
        for number, row in enumerate(layout.rows)
        for dataset in row.sources
    }
    for dataset in dict.fromkeys(column.dataset for column in layout.columns):
        check_comparable([r for (_, name), found in chosen.items() if name == dataset for r in found])
    return Filled(layout, {key: found for key, found in chosen.items() if found})


def newest(
    results: Sequence[ResultFile], row: Row, dataset: str, protocol: str, seeds: Sequence[int]
) -> list[ResultFile]:
    by_seed = {
        result.seed: result
        for result in results
        if result.dataset == dataset
        and result.content["protocol"]["name"] == protocol
        and result.is_of(row.sources[dataset])
    }
    return [by_seed[seed] for seed in seeds if seed in by_seed]


def check_comparable(results: Sequence[ResultFile]) -> None:
    """Raise UserError unless all results were measured under the same conditions."""
    for result in results[1:]:
        first, other = results[0].conditions(), result.conditions()
        different = [key for key in {**first, **other} if first.get(key) != other.get(key)]
        if different:
            key = different[0]
            raise UserError(
                f"{results[0].path} and {result.path} do not belong in one column: {', '.join(different)} differ "
                f"({key}: {first.get(key)!r} and {other.get(key)!r}); score one of them again, or move it away"
            )
