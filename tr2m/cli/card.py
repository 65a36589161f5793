"""All that one device can show, in one report: its tests, and every benchmark of a step, a photo and an evaluation.

usage: tr2m card [key=value ...]

    tr2m card device=cuda                               make gpu: at most eight minutes, nothing to download
    tr2m card device=cuda tests=false out=card parts.train="what=train what.batch_sizes=[64]"

Each part is saved as it finishes: what is interrupted keeps what it has.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from tr2m.cli.options.app import print_help, settings_of


def main(arguments: list[str]) -> None:
    if print_help("card", __doc__, arguments):
        return
    config = settings_of("card", arguments)
    composed = {
        name: settings_of("benchmark", [*part.split(), *config["common"].split(), f"device={config['device']}"])
        for name, part in config["parts"].items()
    }

    # After the cheap checks, so that a typing mistake is answered at once.
    import tr2m
    from tr2m.benchmark.card import CardReport, CardSettings, gpu_tests
    from tr2m.benchmark.parts import keep_trainer
    from tr2m.build import build, read_settings
    from tr2m.experiment.compose import pick_device
    from tr2m.experiment.parameters import without_weights
    from tr2m.experiment.settings import BenchmarkSettings

    settings = read_settings(CardSettings, config)
    device, seconds = pick_device(settings.device), 60 * settings.minutes
    benchmarks = {name: read_settings(BenchmarkSettings, without_weights(part)) for name, part in composed.items()}
    tests = {"tests": partial(gpu_tests, Path(tr2m.__file__).parent.parent, device, seconds / 3)}
    parts = (tests if settings.tests else {}) | {
        name: partial(build(part.what, "what").run, part, device) for name, part in benchmarks.items()
    }
    report = CardReport(Path(settings.out))
    with keep_trainer():
        report.measure(parts, time.monotonic() + seconds)
    print(report.markdown())
    print(f"written to {report.folder}/report.md and report.json")
