"""What runs there are, how far they came and how they scored; what differs between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from tr2m.cli.options.flags import flag_parser, given_path, parse_flags
from tr2m.cli.options.groups import CONFIGS
from tr2m.errors import UserError

if TYPE_CHECKING:
    from tr2m.training.run.record import RunRecord

EXAMPLES = (
    "tr2m runs                                    those below $TR2M_OUTPUTS, or ./outputs",
    "tr2m runs elsewhere/outputs",
    "tr2m runs compare own/20260801-101500 own/20260802-090000",
)
COMPARE = "compare"
# Where a run's folder is, not what was trained.
PLACES = ("run_id", "resume", "paths.outputs")


def main(arguments: list[str]) -> None:
    parser = flag_parser("runs", __doc__, EXAMPLES)
    if arguments[:1] == [COMPARE]:
        parser.prog += f" {COMPARE}"
        parser.add_argument("runs", nargs=2, type=given_path, help="folders of runs, or their names in the list")
        print(comparison(*(the_run(path) for path in parse_flags(parser, arguments[1:]).runs)))
        return
    parser.add_argument(
        "outputs", nargs="?", type=given_path, help="folder of runs (outputs); or the word compare and two runs"
    )
    print(listing(parse_flags(parser, arguments).outputs or default_outputs()))


def default_outputs() -> Path:
    return Path(OmegaConf.load(CONFIGS / "paths" / "default.yaml").outputs)


def listing(outputs: Path) -> str:
    """A line for each run, and one below it for what is wrong with its files. Raises UserError if there is none."""
    from tr2m.training.run.record import SCORE, find_runs, read_run

    folders = find_runs(outputs)
    if not folders:
        raise UserError(f"no runs below {outputs.absolute()}: give the folder that tr2m train wrote to, or train one")
    lines = [["run", "state", "step", f"{SCORE} of the last validation (best)"]]
    notes: dict[int, list[str]] = {}
    for folder in folders:
        run = read_run(folder)
        scores = [f"{name} {shown(run, name, SCORE)}" for name in run.scores]
        lines.append([str(folder.relative_to(outputs)), run.state, progress(run), ", ".join(scores) or "-"])
        notes[len(lines) - 1] = [*([run.reason] if run.reason else []), *run.damage]
    table = columns(lines)
    return "\n".join(line for i, row in enumerate(table) for line in (row, *(f"    {n}" for n in notes.get(i, []))))


def the_run(path: Path) -> RunRecord:
    """The run in a folder, or of that name in the list. Raises UserError if there is none."""
    from tr2m.training.run.record import find_runs, read_run

    for folder in (path, default_outputs() / path):
        if find_runs(folder) == [folder]:
            return read_run(folder)
    raise UserError(f"{path}: expected the folder of a run, or its name as tr2m runs lists it")


def comparison(one: RunRecord, other: RunRecord) -> str:
    """Two runs side by side: their states, the options in which they differ, their scores; and their arguments."""
    runs = (one, other)
    facts = [["", *(str(run.folder) for run in runs)], ["state", *(run.state for run in runs)]]
    facts += [["step", *map(progress, runs)]]
    options = [flat(run.config) for run in runs]
    names = [name for name in dict.fromkeys([*options[0], *options[1]]) if name not in PLACES]
    differing = [[n, *(str(o.get(n, "-")) for o in options)] for n in names if options[0].get(n) != options[1].get(n)]
    if not all(options):
        differing = [["not compared: a config.yaml is missing", "", ""]]
    scores = [
        [f"{dataset} {metric}", *(shown(run, dataset, metric) for run in runs)]
        for dataset in dict.fromkeys([*one.scores, *other.scores])
        for metric in dict.fromkeys([*one.last(dataset), *other.last(dataset)])
    ]
    sections = {
        "": facts,
        "Options that differ": differing or [["none", "", ""]],
        "Scores of the last validation (and of that with the best abs_rel)": scores or [["none", "", ""]],
    }
    rows = iter(columns([row for section in sections.values() for row in section]))
    lines = []
    for title, section in sections.items():
        lines += ["", title] if title else []
        lines += [next(rows) for _ in section]
    lines += ["", "Arguments", *(f"{run.folder}: {' '.join(run.arguments)}" for run in runs)]
    return "\n".join([*lines, *(f"{run.folder}: {problem}" for run in runs for problem in run.damage)])


def shown(run: RunRecord, dataset: str, metric: str) -> str:
    """A score of the last validation, and that of the best one."""
    last, best = run.last(dataset).get(metric), run.best(dataset).get(metric)
    return "-" if last is None or best is None else f"{last:.4f} ({best:.4f})"


def progress(run: RunRecord) -> str:
    step = "-" if run.step is None else f"{run.step:,}"
    return step if run.steps is None else f"{step} of {run.steps:,}"


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """The options of a config by their dotted names."""
    options: dict[str, Any] = {}
    for key, value in config.items():
        options |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return options


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with their cells below each other."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
