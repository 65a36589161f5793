"""The commands that would fill a table's missing cells, in order, and what they cost."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tr2m.evaluation.result_names import OWN_CAPTIONS, result_name
from tr2m.paper.tables.layout import Row, Source, World
from tr2m.paper.tables.results import Filled


@dataclass(frozen=True)
class Command:
    """One command.

    Args:
        arguments: what follows "tr2m".
        hours: expected on the world's device.
        makes: a file that is there afterwards.
        needs: the checkpoint that it starts from, or a string: predictions that somebody else has to make.
    """

    arguments: tuple[str, ...]
    hours: float
    makes: Path
    needs: Path | str | None = None

    @property
    def can_run(self) -> bool:
        return not isinstance(self.needs, str)

    def __str__(self) -> str:
        return shlex.join(["tr2m", *self.arguments])


def plan(tables: Sequence[Filled], world: World, outputs: Path) -> list[Command]:
    """What is missing in `tables`: every run once, each before the evaluations of its checkpoint.

    Args:
        outputs: the folder of runs, where results are looked for and made.
    """
    steps: dict[Path, Command] = {}
    for row, dataset, source, seed in missing_cells(tables, world.seeds):
        for step in cell_steps(row, dataset, source, seed, world, outputs):
            steps.setdefault(step.makes, step)
    return sorted(steps.values(), key=lambda step: step.needs is not None)


def missing_cells(tables: Sequence[Filled], seeds: Sequence[int]) -> Iterator[tuple[Row, str, Source, int]]:
    """Row, data set, source and seed. Seeds outermost: a run that is cut off leaves whole tables of fewer seeds."""
    for seed in seeds:
        for table in tables:
            for number, row in enumerate(table.layout.rows):
                for dataset, source in row.sources.items():
                    present = {result.seed for result in table.results.get((number, dataset), ())}
                    wanted = source.kind == "experiment" or seed == seeds[0]
                    if wanted and seed not in present:
                        yield row, dataset, source, seed


def cell_steps(row: Row, dataset: str, source: Source, seed: int, world: World, outputs: Path) -> list[Command]:
    """What makes one cell: nothing where it cannot be made (a global fit on a data set without training frames)."""
    if source.kind != "experiment":
        return baseline_steps(row, dataset, source, world, outputs)
    run = outputs / source.method / f"seed{seed}"
    checkpoint = run / "checkpoints" / "last.pt"
    steps = []
    if not (run / "eval").is_dir():
        steps.append(training_step(source.method, seed, world, outputs, checkpoint))
    result = result_path(run, dataset, source)
    if steps and dataset in world.validated and result.stem == result_name(dataset):
        return steps
    arguments = ["eval", f"ckpt={hydra_text(checkpoint)}", f"dataset={dataset}", f"protocol={world.protocol}"]
    if source.captions != OWN_CAPTIONS:
        arguments.append(f"captions={source.captions}")
    return [*steps, Command(tuple(arguments), world.hours["eval"], result, checkpoint)]


def result_path(run: Path, dataset: str, source: Source) -> Path:
    """Where `tr2m eval` writes."""
    return run / "eval" / f"{result_name(dataset, source.captions, source.alignment)}.json"


def training_step(experiment: str, seed: int, world: World, outputs: Path, checkpoint: Path) -> Command:
    """Train, or resume a run that was cut off."""
    chosen = f"[{experiment},{world.base}]" if world.base else experiment
    arguments = ["train", f"experiment={chosen}", f"name={experiment}", f"run_id=seed{seed}", f"seed={seed}"]
    arguments += world.train_overrides.get(experiment, "").split()
    arguments += [f"paths.outputs={hydra_text(outputs)}", "resume=auto"]
    return Command(tuple(arguments), world.hours.get(experiment, world.hours["train"]), checkpoint)


def baseline_steps(row: Row, dataset: str, source: Source, world: World, outputs: Path) -> list[Command]:
    if source.alignment == "global" and dataset not in world.trained:
        return []
    named, needs = (f"baseline={source.method}",), None
    if source.kind == "saved":
        needs = f"<predictions of {row.label}>"
        named = ("baseline=folder", f"baseline.name={source.method}", f"baseline.method.root={needs}")
    common = (f"alignment={source.alignment}", f"dataset={dataset}", f"protocol={world.protocol}")
    arguments = ("eval", *named, *common, f"paths.outputs={hydra_text(outputs)}")
    return [Command(arguments, world.hours["eval"], result_path(outputs / source.method, dataset, source), needs)]


def hydra_text(path: Path) -> str:
    """A path as Hydra's grammar takes it: in quotes where it has more than plain characters."""
    if re.fullmatch(r"[\w./@+-]+", str(path), re.ASCII):
        return str(path)
    return "'" + str(path).replace("'", "\\'") + "'"


def plan_text(steps: Sequence[Command], device: str) -> str:
    """One line for each command with the hours expected, and their sum."""
    lines = [f"[{step.hours:6.2f} h] {step}" for step in steps]
    total = sum(step.hours for step in steps if step.can_run)
    outside = sum(not step.can_run for step in steps)
    lines.append(f"{len(steps)} commands, {total:.1f} hours expected ({device})")
    if outside:
        lines.append(
            f"{outside} of them wait for predictions that other systems have to make: run=true leaves them out"
        )
    return "\n".join(lines)
