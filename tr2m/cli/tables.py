"""The paper's tables, its numbers beside this project's.

usage: tr2m tables [key=value ...]

    tr2m tables table=3                                 print and write a table; table=all
    tr2m tables plan=3                                  the commands that would fill it; run=true runs them
    tr2m tables data.world=synthetic table=4            the same in miniature, on the synthetic world
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tr2m.cli.options.app import hydra_app
from tr2m.errors import UserError
from tr2m.files import write_atomically, written_to
from tr2m.paper.tables.layout import World, in_world, read_layout
from tr2m.paper.tables.plan import Command, plan, plan_text
from tr2m.paper.tables.results import fill, read_results
from tr2m.shipped import shipped

PROGRAM = (sys.executable, "-m", "tr2m")


@hydra_app("tables")
def main(config: dict[str, Any]) -> None:
    # It imports torch, for which --help and a misspelt option need not wait.
    from tr2m.build import read_settings
    from tr2m.experiment.settings import TableSettings
    from tr2m.paper.tables.text import FORMATS, markdown, table_text

    settings = read_settings(TableSettings, config)
    name = settings.data.world
    if name not in settings.worlds:
        raise UserError(f"data.world={name}: expected one of {', '.join(settings.worlds)}")
    facts = dict(settings.worlds[name])
    outputs, known = Path(facts.pop("outputs")), facts.pop("tables")
    world = World(**facts)
    wanted = settings.table if settings.plan is None else settings.plan
    layouts = [read_layout(shipped("configs") / "tables" / f"table{n}.yaml") for n in numbers(wanted, known, name)]
    results = read_results(outputs)
    filled = [fill(in_world(layout, world), results, world.protocol, world.seeds) for layout in layouts]
    if settings.plan is not None:
        steps = plan(filled, world, outputs)
        print(plan_text(steps, world.device))
        if settings.run:
            run([step for step in steps if step.can_run], settings.jobs)
        return
    folder = Path(settings.out) if settings.out else outputs / "tables"
    for table in filled:
        text = table_text(table)
        print(markdown(text))
        for suffix, render in FORMATS.items():
            path = folder / f"{table.layout.name}.{suffix}"
            with written_to(path):
                write_atomically(path, render(text).encode())
    print(f"written: {folder}/table*.md, .tex, .csv")


def numbers(wanted: Any, known: list[int], world: str) -> list[int]:
    """[3] for 3, all of them for "all". Raises UserError for a table that this world does not have."""
    if wanted == "all":
        return known
    if wanted not in known:
        raise UserError(f"table {wanted}: the {world} world has {', '.join(map(str, known))}, and all")
    return [wanted]


def run(steps: list[Command], jobs: int) -> None:
    """First what needs nothing, then what needs a checkpoint, `jobs` at a time. Raises UserError if a command fails."""
    quiet = {**os.environ, "TQDM_DISABLE": "1"}

    def execute(step: Command) -> None:
        ended = subprocess.run([*PROGRAM, *step.arguments], env=quiet, capture_output=True, text=True)
        if ended.returncode:
            raise UserError(f"{step}\n{ended.stderr.strip()[-2000:]}\nWhat is done is kept: the same command resumes.")

    for stage in ([s for s in steps if s.needs is None], [s for s in steps if s.needs is not None]):
        with ThreadPoolExecutor(jobs) as pool:
            try:
                for _ in tqdm(pool.map(execute, stage), total=len(stage), desc="commands"):
                    pass
            except UserError:
                pool.shutdown(cancel_futures=True)
                raise
