"""Break the code one line at a time, and see whether a test notices: `make mutants`.

    python tests/mutants/run.py                       all mutations of tests/mutants/*.yaml
    python tests/mutants/run.py --share 0.1 --seed 7  a random tenth
    python tests/mutants/run.py --only silog          those whose file or text contains a word

An entry of a list names a file, the text that is replaced (it must occur exactly once), what replaces it, and the
tests that should fail. Each mutation is applied to a copy of the checkout. The slow imports happen once: every run is
a fork of this process. Entries with `survives: <reason>` are known to leave the tests green, and are reported as such.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COPIED = ("tr2m", "tests", "configs", "data_splits", "scripts", "docs", "pyproject.toml", "README.md", "Makefile")
TIMEOUT_S = 300
"""A mutation may make a loop endless: that counts as noticed."""
GOAL = 0.95


@dataclass(frozen=True)
class Mutation:
    """One change of one place, and the tests (separated by blanks) that should notice it."""

    file: str
    text: str
    becomes: str
    tests: str
    survives: str | None = None
    """Why no test can notice it."""

    def __str__(self) -> str:
        return f"{self.file}: {self.text.strip()!r} -> {self.becomes.strip()!r}"

    def applied_to(self, source: str) -> str:
        """Raises ValueError unless the text occurs exactly once: the list is then out of date."""
        if (count := source.count(self.text)) != 1:
            raise ValueError(f"{self}: the text occurs {count} times, expected once; bring the list up to date")
        return source.replace(self.text, self.becomes)


def read_mutations() -> list[Mutation]:
    """All lists."""
    return [
        Mutation(file=file, **entry)
        for path in sorted(Path(__file__).parent.glob("*.yaml"))
        for file, entries in yaml.safe_load(path.read_text()).items()
        for entry in entries
    ]


def out_of_date(mutation: Mutation) -> bool:
    """Whether the code no longer has the entry's text, or not once: reported, and no reason not to try the others."""
    path = ROOT / mutation.file
    return not path.is_file() or path.read_text().count(mutation.text) != 1


def check_passing(tests: str, copy: Path) -> None:
    """Raises RuntimeError unless the tests pass on the unchanged copy: a failure would then prove nothing."""
    if code := run_tests(tests.split(), copy):
        raise RuntimeError(f"{tests} without a mutation: pytest ended with {code}, expected 0")


def noticed(mutation: Mutation, copy: Path) -> bool:
    """Whether the tests fail on the mutated copy. Raises RuntimeError where they cannot be run at all."""
    target = copy / mutation.file
    original = target.read_text()
    target.write_text(mutation.applied_to(original))
    try:
        code = run_tests(mutation.tests.split(), copy)
    finally:
        target.write_text(original)
    if code in (2, 3, 4, 5):
        # Also where the mutated module cannot be imported: such an entry tests nothing.
        raise RuntimeError(f"{mutation}: pytest ended with {code}, expected 0 (all pass) or 1 (some fail)")
    return code != 0


def run_tests(tests: list[str], folder: Path) -> int:
    """pytest's exit code in `folder`, from a forked process; -1 after TIMEOUT_S or a crash."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.alarm(TIMEOUT_S)
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        import pytest

        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests])
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else -1


def preload() -> None:
    """What all tests import, except the project itself, which each fork takes from its copy."""
    import cv2
    import matplotlib
    import open_clip
    import timm
    import torch
    import torchvision
    import transformers

    torch.set_num_threads(1)
    del cv2, matplotlib, open_clip, timm, torchvision, transformers


def copies(count: int) -> Iterator[Path]:
    for _ in range(count):
        folder = Path(tempfile.mkdtemp(prefix="mutants_"))
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        yield folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="share of the list that is tried")
    parser.add_argument("--seed", type=int, default=None, help="of the choice; without it another one each time")
    parser.add_argument("--only", default="", help="a word of the file or the text")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()

    seed = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    mutations = [m for m in read_mutations() if arguments.only in str(m)]
    if arguments.share < 1:
        count = max(1, round(arguments.share * len(mutations)))
        mutations = random.Random(seed).sample(mutations, count)
        print(f"{count} mutations, --share {arguments.share} --seed {seed}", flush=True)
    stale = [m for m in mutations if out_of_date(m)]
    mutations = [m for m in mutations if m not in stale]
    for mutation in stale:
        print(f"OUT OF DATE {mutation}", flush=True)
    preload()
    free: Queue[Path] = Queue()
    for folder in copies(arguments.jobs):
        free.put(folder)

    def borrow(what: Callable[..., Any], argument: Any) -> Any:
        copy = free.get()
        try:
            return what(argument, copy)
        finally:
            free.put(copy)

    def attempt(mutation: Mutation) -> bool:
        found = borrow(noticed, mutation)
        print(f"{'noticed ' if found else 'SURVIVED'} {mutation}", flush=True)
        return found

    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(partial(borrow, check_passing), sorted({m.tests for m in mutations})))
        outcomes = list(pool.map(attempt, mutations))
    for _ in range(arguments.jobs):
        shutil.rmtree(free.get())
    explained = [m for m, found in zip(mutations, outcomes, strict=True) if not found and m.survives]
    unexplained = [m for m, found in zip(mutations, outcomes, strict=True) if not found and not m.survives]
    for mutation in explained:
        print(f"survives, explained: {mutation}: {mutation.survives}")
    for mutation in unexplained:
        print(f"survives, UNEXPLAINED: {mutation}")
    score = sum(outcomes) / len(outcomes)
    print(f"{sum(outcomes)} of {len(outcomes)} mutations noticed ({score:.1%}), goal {GOAL:.0%}")
    sys.exit(bool(unexplained or stale))


if __name__ == "__main__":
    main()
