"""Everything that one card can show, in one report: `tr2m card`, `make gpu`."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tr2m.benchmark.measurement import Measurement
from tr2m.benchmark.parts import free_memory
from tr2m.errors import UserError
from tr2m.files import write_atomically, written_to
from tr2m.json_text import json_text
from tr2m.limits import PositiveFloat

LAST_SECONDS = 60
"""No part starts in the last minute."""


@dataclass(frozen=True, kw_only=True)
class CardSettings:
    """configs/card.yaml."""

    device: str
    minutes: PositiveFloat
    out: str
    """Folder of the report."""
    tests: bool
    """Whether the tests of a GPU are run first."""
    common: str
    """Arguments of every part."""
    parts: dict[str, str]
    """By name, the arguments of `tr2m benchmark`."""


@dataclass
class CardReport:
    """What has been measured so far, written anew after each part.

    Args:
        folder: of report.md, report.json and a folder for each part.
    """

    folder: Path
    measured: dict[str, Measurement] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """Of each part with its start-up."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a part was not measured."""

    def measure(self, parts: Mapping[str, Callable[[], Measurement]], deadline: float) -> None:
        """Run the parts in order, as many as start a minute before `deadline` (of `time.monotonic`)."""
        for name, part in parts.items():
            start = time.monotonic()
            if start > deadline - LAST_SECONDS:
                self.missing[name] = "not run: the time was over"
            else:
                try:
                    self.measured[name] = part()
                except (UserError, RuntimeError) as error:
                    # Of CUDA and of torch.compile, too: one part must not cost the rest.
                    self.missing[name] = f"failed: {error}"
                self.seconds[name] = time.monotonic() - start
            self.save(name)
            free_memory()

    def save(self, name: str) -> None:
        """Write the report, and the part that was measured last."""
        if name in self.measured:
            self.measured[name].save(self.folder / name)
        for file, text in (("report.json", json_text(self.content()) + "\n"), ("report.md", self.markdown())):
            with written_to(self.folder / file):
                write_atomically(self.folder / file, text.encode())

    def content(self) -> dict[str, Any]:
        parts = {
            name: {
                "what": result.what,
                "seconds": self.seconds[name],
                "environment": result.environment,
                "rows": list(result.rows),
                "notes": result.notes,
            }
            for name, result in self.measured.items()
        }
        return {"parts": parts, "missing": self.missing}

    def markdown(self) -> str:
        parts = [
            f"## {name} ({self.seconds[name]:.0f} s)\n\n{result.markdown()}" for name, result in self.measured.items()
        ]
        parts += [f"## {name}\n\n{reason}" for name, reason in self.missing.items()]
        return "\n\n".join(parts) + "\n"


def gpu_tests(root: Path, device: torch.device, timeout: float) -> Measurement:
    """The outcome and the seconds of each test in `root`/tests/gpu, of those that end before `timeout` (seconds).

    In a process of its own: pytest checks the types in every call, which would slow down what is measured here.

    Raises:
        UserError: there are none, as in an installed package.
    """
    folder = root / "tests" / "gpu"
    if not folder.is_dir():
        raise UserError(f"no {folder}: the tests come with a checkout; add tests=false")
    command = [sys.executable, "-m", "pytest", "-v", "-m", "gpu", "--durations=0", "--durations-min=0", str(folder)]
    try:
        output = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=timeout).stdout
        ended = "to the end"
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace")
        ended = f"stopped after {timeout:.0f} s"
    rows = outcomes(output)
    if not rows:
        raise UserError(f"{folder}: pytest ran no test: {output[-500:]}")
    return Measurement("tests", device, rows, {"run": ended})


def outcomes(output: str) -> list[dict[str, Any]]:
    """A row for each test in what pytest printed; without seconds where it was stopped before it printed them."""
    seconds = {test: float(value) for value, test in re.findall(r"^([\d.]+)s call +(\S+)", output, re.MULTILINE)}
    found: Sequence[tuple[str, str]] = re.findall(
        r"^(\S+::\S+) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)", output, re.MULTILINE
    )
    return [{"test": test, "outcome": word.lower(), "seconds": seconds.get(test)} for test, word in found]
