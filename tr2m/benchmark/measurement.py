"""A measurement with what it needs beside it: the device, the versions, the commit."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tr2m.json_text import json_text
from tr2m.training.run.run_log import environment


@dataclass(frozen=True)
class Measurement:
    """Rows of one table.

    Args:
        what: the benchmark's name.
        device: where it was measured.
        rows: column to value; the same columns in every row.
        notes: single numbers that belong to the whole table.
        factors: columns that the config varies.
        measures: for each unit the columns to be drawn against the factors.
    """

    what: str
    device: torch.device
    rows: Sequence[dict[str, Any]]
    notes: dict[str, Any] = field(default_factory=dict)
    factors: Sequence[str] = ()
    measures: Mapping[str, Sequence[str]] = field(default_factory=dict)
    environment: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        facts = environment(self.device) | {"device": device_name(self.device), "load_average": os.getloadavg()[0]}
        object.__setattr__(self, "environment", facts)

    def markdown(self) -> str:
        """The table under a line that states where it was measured."""
        facts = self.environment
        head = (
            f"`what={self.what}` on **{facts['device']}**, {facts['processes']} process(es), "
            f"torch {facts['packages']['torch']}, commit "
            f"{facts['git_commit'][:12]}{'+changes' * facts['git_commit'].endswith('+changes')}, "
            f"load average {facts['load_average']:.1f}"
        )
        columns = list(self.rows[0])
        lines = [columns, ["---"] * len(columns), *([cell(row[name]) for name in columns] for row in self.rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        notes = "\n".join(f"- {name}: {cell(value)}" for name, value in self.notes.items())
        return "\n\n".join(part for part in (head, table, notes) if part)

    def save(self, folder: Path) -> Path:
        """Write <what>.json and <what>.md into `folder`; returns the JSON file's path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.what}.json"
        content = {"what": self.what, "environment": self.environment, "rows": list(self.rows), "notes": self.notes}
        path.write_text(json_text(content) + "\n")
        path.with_suffix(".md").write_text(self.markdown() + "\n", encoding="utf-8")
        return path


def sides(size: Sequence[int]) -> str:
    """Height x width, as tables write it."""
    return "x".join(map(str, size))


def cell(value: Any) -> str:
    """A value for the table: four digits of a number, nothing for None."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def device_name(device: torch.device) -> str:
    """The maker's name of the device, for a CPU with the threads that torch uses."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or 'CPU'}, {torch.get_num_threads()} threads"
