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
import importlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Literal

import yaml

ROOT = Path(__file__).parents[2]
COPIED = (
    "tr2m",
    "tests",
    "configs",
    "data_splits",
    "scripts",
    "docs",
    "pyproject.toml",
    "README.md",
    "CONTRIBUTING.md",
    "Makefile",
    "LICENSE",
)
TIMEOUT_S = 300
"""A mutation may make a loop endless: that counts as noticed."""
GOAL = 0.95

Outcome = Literal["noticed", "survived", "not tried"]


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


def outcomes_of(mutations: Sequence[Mutation], copy: Path, passed: bool) -> list[tuple[Mutation, Outcome]]:
    """Those of mutations that name the same tests. Unless these have just `passed`, they are first run on the unchanged
    copy: a failure would else prove nothing.
    """
    if code := 0 if passed else run_tests(mutations[0].tests.split(), copy):
        print(f"{mutations[0].tests}: pytest ended with {code} without a mutation, expected 0", flush=True)
        return [(mutation, "not tried") for mutation in mutations]
    outcomes = []
    for mutation in mutations:
        outcomes.append((mutation, outcome_of(mutation, copy)))
        print(f"{outcomes[-1][1]:9} {mutation}", flush=True)
    return outcomes


def outcome_of(mutation: Mutation, copy: Path) -> Outcome:
    """Whether the tests fail on the mutated copy; "not tried" where they cannot be run at all, also because the mutated
    module cannot be imported: such an entry tests nothing.
    """
    target = copy / mutation.file
    original = target.read_text()
    target.write_text(mutation.applied_to(original))
    try:
        code = run_tests(mutation.tests.split(), copy)
    finally:
        target.write_text(original)
    return "survived" if code == 0 else "not tried" if code in (2, 3, 4, 5) else "noticed"


def run_tests(tests: list[str], folder: Path) -> int:
    """pytest's exit code in `folder`, from a forked process; -1 after TIMEOUT_S or a crash."""
    return in_fork(folder, lambda: quiet_pytest(["-x", *tests]))


def in_fork(folder: Path, task: Callable[[], int]) -> int:
    """What `task` returns in a process of its own, in `folder`."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.alarm(TIMEOUT_S)
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        os._exit(task())
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else -1


def quiet_pytest(arguments: list[str]) -> int:
    import pytest

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return pytest.main(["-q", "-p", "no:cacheprovider", *arguments])


def preload(folder: Path) -> None:
    """Import what all tests import, except the project itself, which each fork takes from its copy. A fork collects the
    tests to find that out: a list would soon be wrong, and what it lacks costs every fork seconds.
    """
    found = folder / "imported.txt"

    def collect() -> int:
        code = quiet_pytest(["--collect-only", "tests"])
        files = {
            name: str(getattr(module, "__file__", "")) for name, module in sys.modules.items() if name != "__main__"
        }
        found.write_text("\n".join(name for name, file in files.items() if str(folder) not in file))
        return code

    if code := in_fork(folder, collect):
        sys.exit(f"pytest --collect-only ended with {code}, expected 0")
    for name in found.read_text().split():
        # Some exist only once another has made them.
        with suppress(ImportError):
            importlib.import_module(name)

    import torch

    torch.set_num_threads(1)


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
    parser.add_argument("--passed", action="store_true", help="all tests have just passed: do not run them unchanged")
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
    folders = list(copies(arguments.jobs))
    preload(folders[0])
    free: Queue[Path] = Queue()
    for folder in folders:
        free.put(folder)

    def attempt(group: Sequence[Mutation]) -> list[tuple[Mutation, Outcome]]:
        copy = free.get()
        try:
            return outcomes_of(group, copy, arguments.passed)
        finally:
            free.put(copy)

    groups: defaultdict[str, list[Mutation]] = defaultdict(list)
    for mutation in mutations:
        groups[mutation.tests].append(mutation)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        largest_first = sorted(groups.values(), key=len, reverse=True)
        outcomes = [pair for pairs in pool.map(attempt, largest_first) for pair in pairs]
    for _ in range(arguments.jobs):
        shutil.rmtree(free.get())
    sys.exit(not report(outcomes) or bool(stale))


def report(outcomes: Sequence[tuple[Mutation, Outcome]]) -> bool:
    """Print what was not noticed, and the score. Returns whether that reaches the goal; what could not be tried counts
    as not noticed.
    """
    for mutation, outcome in outcomes:
        if outcome == "survived" and mutation.survives:
            print(f"survives, explained: {mutation}: {mutation.survives}")
        elif outcome != "noticed":
            print(f"{'survives, UNEXPLAINED' if outcome == 'survived' else 'NOT TRIED'}: {mutation}")
    noticed = sum(outcome == "noticed" for _, outcome in outcomes)
    score = noticed / max(1, len(outcomes))
    print(f"{noticed} of {len(outcomes)} mutations noticed ({score:.1%}), goal {GOAL:.0%}")
    return score >= GOAL


if __name__ == "__main__":
    main()
