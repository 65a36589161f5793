"""Data sets, from their owners' archives to frames that have been looked at.

usage: tr2m data prepare|check|show dataset=<name> [key=value ...]

    tr2m data prepare dataset=void archives=downloads   from the official archives to the tree that the reader takes
    tr2m data check dataset=void                        every problem of a data set, in words; dataset=all, full=true
    tr2m data show dataset=nyuv2 n=8 split=train        a picture of a few frames: image, depth, region, caption

`tr2m data <part> --help` lists the options of a part. docs/preparing.md explains them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tr2m.cli.options.app import CONFIGS, print_help, settings_of
from tr2m.errors import UserError

if TYPE_CHECKING:
    from tr2m.preparation.check import Findings

ALL = "dataset=all"


def main(arguments: list[str]) -> None:
    parts = {"prepare": prepare, "check": check, "show": show}
    part, *rest = arguments or ["--help"]
    if part in ("--help", "-h"):
        print((__doc__ or "").strip())
    elif part not in parts:
        raise UserError(f"data {part}: expected one of {', '.join(parts)} first, then key=value")
    elif not print_help(f"data_{part}", __doc__, rest):
        parts[part](rest)


def prepare(arguments: list[str]) -> None:
    """From the official archives to the tree that the reader takes."""
    config = settings_of("data_prepare", arguments)

    # After the cheap checks, so that a typing mistake is answered at once; so everywhere below.
    from tr2m.build import build, read_settings
    from tr2m.experiment.settings import PrepareSettings
    from tr2m.preparation.steps import Workplace
    from tr2m.preparation.steps import prepare as take_steps

    settings = read_settings(PrepareSettings, config)
    root = Path(settings.dataset.reader["root"])
    place = Workplace(Path(settings.archives), root, build(settings.limits, "limits"), settings.download)
    outcome = take_steps(build(settings.prepare["steps"], "prepare.steps"), place)
    for line in outcome.done:
        print(f"done     {line}")
    for line in outcome.problems:
        print(f"problem  {line}", file=sys.stderr)
    name = settings.dataset.name
    print(f"{name}: below {root.absolute()}. Then: tr2m data check dataset={name}")
    if outcome.problems:
        sys.exit(1)


def check(arguments: list[str]) -> None:
    """Print every problem of a data set, or of all that have a recipe."""
    names = sorted(path.stem for path in (CONFIGS / "prepare").glob("*.yaml")) if ALL in arguments else []
    others = [argument for argument in arguments if argument != ALL]
    composed = [settings_of("data_check", [*chosen, *others]) for chosen in ([f"dataset={n}"] for n in names)]
    bad = []
    for config in composed or [settings_of("data_check", arguments)]:
        name, findings = config["dataset"]["reader"]["name"], findings_of(config)
        print(name)
        for fact in findings.facts:
            print(f"    {fact}")
        for problem in findings.problems:
            print(f"  * {problem}")
        if findings.problems:
            bad.append(f"{name} {len(findings.problems)}")
    if bad:
        raise SystemExit(f"problems: {', '.join(bad)}")
    print("no problems")


def findings_of(config: dict[str, Any]) -> Findings:
    """What is found in the data set of a composed data_check.yaml."""
    from tr2m.build import read_settings
    from tr2m.experiment.settings import CheckSettings
    from tr2m.preparation.check import Thoroughness, check_dataset

    settings = read_settings(CheckSettings, config)
    frames = None if settings.full else settings.frames
    return check_dataset(settings.dataset, Thoroughness(frames, settings.seed, settings.shown, settings.threads))


def show(arguments: list[str]) -> None:
    """A picture of a few frames of a data set."""
    config = settings_of("data_show", arguments)

    from tr2m.build import build, read_settings
    from tr2m.data.sampling import choose_frames
    from tr2m.drawing.contact_sheet import save_contact_sheet
    from tr2m.experiment.compose import build_protocol
    from tr2m.experiment.settings import ShowSettings

    settings = read_settings(ShowSettings, config)
    dataset, split = settings.dataset, settings.split or settings.dataset.eval_split
    name, protocol = next(iter(dataset.chosen_protocols(settings.protocol).items()))
    frames = dataset.read_without_captions(split, **protocol.get("reader", {}))
    try:
        frames = frames.with_captions(build(dataset.reader.get("captions")) or frames.own_captions())
    except UserError as error:
        print(f"shown without captions: {error}")
    path = Path(settings.out or Path(settings.paths.outputs, "contact_sheets", f"{dataset.name}_{split}.png"))
    indices = choose_frames(frames.sample_ids, settings.n, settings.seed)
    save_contact_sheet(path, frames, build_protocol(name, protocol), indices)
    print(f"written: {path.absolute()}")
