"""What a table of the paper looks like: its columns, its rows, where each row's numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

SourceKind = Literal["experiment", "baseline", "saved"]


@dataclass(frozen=True)
class Column:
    dataset: str
    metric: str


@dataclass(frozen=True)
class Source:
    """Which result file fills a cell.

    Args:
        kind: how it is made: trained here, scored as published, or scored from predictions that somebody saved.
        method: name of the experiment or of the baseline.
    """

    kind: SourceKind
    method: str
    alignment: str = "none"
    captions: str = "correct"


@dataclass(frozen=True)
class Row:
    label: str
    paper: tuple[str, ...]
    """The printed numbers, "-" where there is none; empty where the paper has no such row."""
    sources: Mapping[str, Source]
    """By data set."""

    @property
    def uses_ground_truth(self) -> bool:
        """Such rows win nothing (grey in the paper)."""
        # It imports torch, for which the plan of a table need not wait.
        from tr2m.evaluation.alignment import uses_ground_truth

        return any(uses_ground_truth(source.alignment) for source in self.sources.values())


@dataclass(frozen=True)
class Layout:
    """One table. `definitions` (name, as printed, here) is what Table 6 has instead of numbers."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    rank: bool = False
    definitions: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class World:
    """Which data a table is filled from.

    Args:
        protocol: results of other protocols are left alone.
        seeds: which runs of an experiment count.
        train_overrides: appended to every training command, and what single experiments need besides.
        base: an experiment that every other one is composed with.
        trained: data sets with training frames; validated: those that training scores at its end.
        columns: replaces the paper's columns; None keeps them, and the paper's numbers.
        relative_depth: the baseline that stands for every relative-depth one; None keeps the table's own.
        left_out: experiments that have no row in miniature.
        hours: "train" and "eval", and single experiments by name.
    """

    protocol: str
    seeds: list[int]
    base: str | None
    train_overrides: dict[str, str]
    trained: list[str]
    validated: list[str]
    columns: dict[str, list[str]] | None
    relative_depth: str | None
    left_out: list[str]
    hours: dict[str, float]
    device: str


def read_layout(path: Path) -> Layout:
    """A file of configs/tables."""
    table = yaml.safe_load(path.read_text())
    columns = columns_of(table["columns"])
    datasets = list(table["columns"])
    return Layout(
        name=path.stem,
        title=table["title"],
        columns=columns,
        rows=tuple(read_row(row, datasets) for row in table["rows"]),
        notes=tuple(table.get("notes", ())),
        rank=table.get("rank", False),
        definitions=tuple((d["label"], d["paper"], d["here"]) for d in table.get("definitions", ())),
    )


def columns_of(columns: Mapping[str, list[str]]) -> tuple[Column, ...]:
    return tuple(Column(dataset, metric) for dataset, metrics in columns.items() for metric in metrics)


def read_row(row: Mapping[str, Any], datasets: list[str]) -> Row:
    kind = next(kind for kind in get_args(SourceKind) if kind in row)
    method = row[kind]
    sources = {
        dataset: Source(
            kind,
            method[dataset] if isinstance(method, dict) else method,
            row.get("alignment", "none"),
            row.get("captions", "correct"),
        )
        for dataset in datasets
    }
    return Row(row["label"], tuple(row.get("paper", "").split()), sources)


def in_world(layout: Layout, world: World) -> Layout:
    """The table as `world` has it: the paper's, or its rows in miniature on other columns and without its numbers."""
    if world.columns is None:
        return layout
    rows = []
    for row in layout.rows:
        source = next(iter(row.sources.values()))
        if source.kind == "baseline" and source.alignment != "none":
            source = replace(source, method=world.relative_depth)
        elif source.kind != "experiment" or source.method in world.left_out:
            continue
        label = row.label.replace("Depth Anything", "relative depth")
        rows.append(Row(label, (), dict.fromkeys(world.columns, source)))
    title = f"{layout.title}, in miniature on the synthetic world"
    unseen = [dataset for dataset in world.columns if dataset not in world.trained]
    note = f"Mean ± standard deviation over seeds {', '.join(map(str, world.seeds))}; zero-shot: {', '.join(unseen)}."
    return replace(layout, title=title, columns=columns_of(world.columns), rows=tuple(rows), notes=(note,), rank=False)
