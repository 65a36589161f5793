"""python scripts/data.py check: every problem of a data set, in words."""

from __future__ import annotations

import sys

from hydra_app import CONFIGS, settings_of

from tr2m.preparation.check import Findings, Thoroughness, check_dataset

ALL = "dataset=all"


def main(arguments: list[str]) -> None:
    names = sorted(path.stem for path in (CONFIGS / "prepare").glob("*.yaml")) if ALL in arguments else [None]
    others = [argument for argument in arguments if argument != ALL]
    problems = {}
    for name in names:
        settings = settings_of("data_check", [f"dataset={name}", *others] if name else others)
        name = settings["dataset"]["reader"]["name"]
        findings = check(settings)
        print(name)
        for fact in findings.facts:
            print(f"    {fact}")
        for problem in findings.problems:
            print(f"  * {problem}")
        problems[name] = len(findings.problems)
    if bad := {name: count for name, count in problems.items() if count}:
        raise SystemExit(f"problems: {', '.join(f'{name} {count}' for name, count in bad.items())}")
    print("no problems")


def check(settings: dict) -> Findings:
    frames = None if settings["full"] else settings["frames"]
    how = Thoroughness(frames, settings["seed"], settings["shown"], settings["threads"])
    expected_median = settings["expected_median"].get(settings["dataset"]["reader"]["name"])
    return check_dataset(settings["dataset"], expected_median, how)


if __name__ == "__main__":
    main(sys.argv[1:])
