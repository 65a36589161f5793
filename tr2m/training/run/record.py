"""What the files of a run's folder record, as far as they can be read: for `tr2m runs`, without torch."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tr2m.training.run.lock import FILE, PATIENCE

MARKS = ("config.yaml", "status.json", FILE)
"""A folder with one of them is a run's."""
SCORE = "abs_rel"


@dataclass
class RunRecord:
    """A run, as its folder shows it."""

    folder: Path
    state: str = "unknown"
    """starting, running, finished, stopped, failed, or killed: no end is recorded, and its process is gone."""
    reason: str = ""
    step: int | None = None
    steps: int | None = None
    """Of the whole run."""
    config: dict[str, Any] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    scores: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    """For each data set the metrics of its validations, the oldest first."""
    damage: list[str] = field(default_factory=list)
    """What cannot be read, in words."""

    def last(self, dataset: str) -> dict[str, float]:
        return self.scores[dataset][-1] if dataset in self.scores else {}

    def best(self, dataset: str) -> dict[str, float]:
        """The validation with the lowest abs_rel."""
        return min(self.scores.get(dataset, [{}]), key=lambda metrics: metrics.get(SCORE, float("inf")))


def find_runs(outputs: Path) -> list[Path]:
    """The folders of the runs below `outputs`, those that were written to last at the end."""
    found = []
    for folder, folders, files in os.walk(outputs):
        if set(MARKS) & set(files):
            found.append(Path(folder))
            folders.clear()  # no run lies in another one
    return sorted(found, key=lambda run: (max(newest(run / name) for name in (*MARKS, "metrics.jsonl")), run))


def newest(path: Path) -> float:
    """When a file was last written; 0 if it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def read_run(folder: Path) -> RunRecord:
    """What a run's folder shows. What is missing or damaged is named in `damage`; nothing is raised for it."""
    run = RunRecord(folder)
    run.config = read_mapping(run, "config.yaml", yaml.safe_load)
    run.arguments = read_text(run, "overrides.txt").splitlines()
    status = read_mapping(run, "status.json", json.loads)
    read_metrics(run)
    run.steps, reason = integer(status.get("steps")), status.get("ended_early") or status.get("reason") or ""
    if run.step is None:
        run.step = integer(status.get("step"))
    run.state, run.reason = str(status.get("state", "unknown")), str(reason).partition("\n")[0]
    alive = holder_is_alive(folder / FILE)
    if alive:
        run.state = "running" if status.get("state") == "running" else "starting"
    elif run.state in ("running", "unknown"):
        run.state, run.reason = "killed", "it did not report its end, and its process is gone"
    if run.state != "starting":
        run.damage += [f"no {name}" for name in MARKS[:2] if not (folder / name).exists()]
    return run


def read_metrics(run: RunRecord) -> None:
    """The step and the scores. After a kill some steps stand there twice: the later lines count."""
    validations: dict[str, dict[int, dict[str, float]]] = {}
    for line in json_lines(run, "metrics.jsonl"):
        kind, step = str(line.pop("kind", "")), integer(line.pop("step", None))
        if step is None:
            continue
        run.step = step
        if kind.startswith("validate/"):
            numbers = {name: float(v) for name, v in line.items() if isinstance(v, int | float)}
            validations.setdefault(kind.removeprefix("validate/"), {})[step] = numbers
    run.scores = {name: [of[step] for step in sorted(of)] for name, of in validations.items()}


def json_lines(run: RunRecord, name: str) -> Iterator[dict[str, Any]]:
    """The objects in a file of one a line; lines that hold none are counted in `damage`."""
    bad = 0
    for text in read_text(run, name).splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict):
            yield line
        else:
            bad += 1
    if bad:
        run.damage.append(f"{name}: {bad} line(s) cannot be read")


def read_mapping(run: RunRecord, name: str, parse: Any) -> dict[str, Any]:
    """The content of a YAML or JSON file; {} if there is none, also where that is damage."""
    text = read_text(run, name)
    try:
        content = parse(text) if text else {}
    except (ValueError, RecursionError, yaml.YAMLError):
        content = None
    if isinstance(content, dict):
        return content
    run.damage.append(f"{name} cannot be read")
    return {}


def read_text(run: RunRecord, name: str) -> str:
    """The text of a file; empty if there is none."""
    try:
        return (run.folder / name).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        run.damage.append(f"{name} cannot be read ({error.strerror})")
        return ""


def integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def holder_is_alive(lock: Path) -> bool:
    """Whether the process that a `run.lock` names lives. It renews the file every 20 s, from whatever machine; on this
    one its number must be in use, too. The lock itself is not touched: a run may be about to take it.
    """
    try:
        host, _, number, *_ = lock.read_text(errors="replace").split() or ["", "", ""]
        if not host or time.time() - lock.stat().st_mtime > PATIENCE:
            return False
        if host == socket.gethostname():
            os.kill(int(number), 0)
    except PermissionError:
        return True  # somebody else's process
    except (OSError, ValueError):
        return False
    return True
