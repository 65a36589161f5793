"""python scripts/data.py check: every problem of a data set, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tr2m.cli.hydra_app import CONFIGS, settings_of

if TYPE_CHECKING:
    from tr2m.preparation.check import Findings

ALL = "dataset=all"


def main(arguments: list[str]) -> None:
    names = sorted(path.stem for path in (CONFIGS / "prepare").glob("*.yaml")) if ALL in arguments else []
    others = [argument for argument in arguments if argument != ALL]
    composed = [settings_of("data_check", [*chosen, *others]) for chosen in ([f"dataset={n}"] for n in names)]
    bad = []
    for settings in composed or [settings_of("data_check", arguments)]:
        name, findings = settings["dataset"]["reader"]["name"], check(settings)
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


def check(settings: dict[str, Any]) -> Findings:
    """What is found in the data set of a composed data_check.yaml."""
    # After the cheap checks, so that a typing mistake is answered at once.
    from tr2m.preparation.check import Thoroughness, check_dataset

    frames = None if settings["full"] else settings["frames"]
    how = Thoroughness(frames, settings["seed"], settings["shown"], settings["threads"])
    return check_dataset(settings["dataset"], how)
