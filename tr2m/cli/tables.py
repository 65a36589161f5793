"""The paper's tables, its numbers beside this project's: python scripts/tables.py table=3 | plan=3 [run=true]"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from tr2m.cli.hydra_app import CONFIGS, hydra_app
from tr2m.errors import UserError
from tr2m.paper.tables.layout import World, in_world, read_layout
from tr2m.paper.tables.plan import Step, plan, plan_text
from tr2m.paper.tables.results import fill, read_results
from tr2m.paper.tables.text import FORMATS, markdown, table_text


@hydra_app("tables")
def main(config: DictConfig) -> None:
    settings = OmegaConf.to_container(config, resolve=True)
    name = settings["data"]["world"]
    if name not in settings["worlds"]:
        raise UserError(f"data.world={name}: expected one of {', '.join(settings['worlds'])}")
    facts = dict(settings["worlds"][name])
    outputs, known = Path(facts.pop("outputs")), facts.pop("tables")
    world = World(**facts)
    wanted = settings["table"] if settings["plan"] is None else settings["plan"]
    layouts = [read_layout(CONFIGS / "tables" / f"table{n}.yaml") for n in numbers(wanted, known, name)]
    results = read_results(outputs)
    filled = [fill(in_world(layout, world), results, world.protocol, world.seeds) for layout in layouts]
    if settings["plan"] is not None:
        steps = plan(filled, world, outputs)
        print(plan_text(steps, world.device))
        if settings["run"]:
            run([step for step in steps if step.can_run], settings["jobs"])
        return
    folder = Path(settings["out"]) if settings["out"] else outputs / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for table in filled:
        text = table_text(table)
        print(markdown(text))
        for suffix, render in FORMATS.items():
            (folder / f"{table.layout.name}.{suffix}").write_text(render(text))
    print(f"written: {folder}/table*.md, .tex, .csv")


def numbers(wanted: Any, known: list[int], world: str) -> list[int]:
    """[3] for 3, all of them for "all". Raises UserError for a table that this world does not have."""
    if wanted == "all":
        return known
    if wanted not in known:
        raise UserError(f"table {wanted}: the {world} world has {', '.join(map(str, known))}, and all")
    return [wanted]


def run(steps: list[Step], jobs: int) -> None:
    """First what needs nothing, then what needs a checkpoint, `jobs` at a time. Raises UserError if a command fails."""
    root, quiet = CONFIGS.parent, {**os.environ, "TQDM_DISABLE": "1"}

    def execute(step: Step) -> None:
        ended = subprocess.run([sys.executable, *step.arguments], cwd=root, env=quiet, capture_output=True, text=True)
        if ended.returncode:
            raise UserError(f"{step}\n{ended.stderr.strip()[-2000:]}\nWhat is done is kept: the same command goes on.")

    for stage in ([s for s in steps if s.needs is None], [s for s in steps if s.needs is not None]):
        with ThreadPoolExecutor(jobs) as pool:
            try:
                for _ in tqdm(pool.map(execute, stage), total=len(stage), desc="commands"):
                    pass
            except UserError:
                pool.shutdown(cancel_futures=True)
                raise
