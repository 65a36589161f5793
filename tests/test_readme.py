"""The commands of the README and of the pages in docs/ are real: their options are composed, their links followed."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest
from tiny import ROOT

from tr2m.cli.options.check import check_overrides, job_arguments
from tr2m.cli.options.flags import parse_flags

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Commands that take flags; the others have configs/<command>.yaml.
FLAGS = ("predict", "export", "app", "runs")
CONFIG = {"cache": "train", "demo": "train"}


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """(command, arguments) of every command on a page, with placeholders in place of what the reader fills in."""
    text = page.read_text().replace("\\\n", " ")
    start = r"(?:\w+=\S+ )*(?:srun )?"
    program = r"(?:tr2m (\w+)|torchrun [^\n]*? -m tr2m (\w+)|python scripts/(\w+)\.py)"
    found = [("".join(n), line) for *n, line in re.findall(rf"^ *{start}{program} ([^\n]*)", text, re.M)]
    lines = [(program, re.sub(r"<[^<>\n]*>", "some", line).replace("ckpt=...", "ckpt=some")) for program, line in found]
    return [(program, shlex.split(line.removesuffix("&"), comments=True)) for program, line in lines]


CASES = [
    pytest.param(program, arguments, id=f"{page.stem}-{number}-{program}")
    for page in PAGES
    for number, (program, arguments) in enumerate(commands(page))
]


def test_the_readme_has_commands_of_every_program():
    assert {program for program, _ in commands(PAGES[0])} >= {"train", "eval", "predict", "summary", "data", "tables"}
    assert len(CASES) > 40


class Parsed(Exception):
    """A command's flags are as it takes them."""


def parse_only(parser: ArgumentParser, arguments: list[str]) -> None:
    parse_flags(parser, arguments)
    raise Parsed


@pytest.mark.parametrize(("program", "arguments"), CASES)
def test_options_of_the_commands_exist(program: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch):
    if program in FLAGS:
        command = import_module(f"tr2m.cli.{program}")
        monkeypatch.setattr(command, "parse_flags", parse_only)
        with pytest.raises(Parsed):
            command.main(arguments)
    elif program == "data":
        command, *options = arguments
        check_overrides(f"data_{command}", ["dataset=nyuv2" if o == "dataset=all" else o for o in options])
    else:
        # What the reader's own files would be called is no option's value.
        mine = re.compile(r"(dataset|data|experiment)=(my_rooms|some)")
        check = check_overrides if program in ("captions", "demo") else job_arguments
        check(CONFIG.get(program, program), [a for a in arguments if not mine.match(a)])


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = {target for page in PAGES for target in re.findall(r"(?:^    |`)make (\w+)", page.read_text(), re.M)}
    assert {"demo", "test", "slow"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_links_lead_somewhere():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page.name}: {link}"


def test_files_that_a_page_names_exist():
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.*") if ".venv" not in path.parts]
    tops = {path.name for folder in (ROOT, ROOT / "tr2m", ROOT / "tests") for path in folder.iterdir() if path.is_dir()}
    for page in PAGES:
        for name in re.findall(r"`(\w+/[\w./-]+\.(?:py|yaml))`", page.read_text()):
            # configs/dataset/my_rooms.yaml is the reader's.
            if name.split("/")[0] in tops and "my_" not in name:
                assert any(f"/{file}".endswith(f"/{name}") for file in files), f"{page.name}: {name}"
