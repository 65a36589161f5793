"""`make docs`: the site builds, a broken link fails, nothing comes from elsewhere, and pages say what help() says."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from tiny import ROOT

import tr2m


def build(root: Path, site: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def words(text: str) -> str:
    """A text without markup and punctuation."""
    return " ".join(re.findall(r"\w+", text))


@pytest.mark.parametrize("name", ["predict", "predict_batch", "load_model", "push_to_hub", "TR2M"])
def test_the_page_says_what_help_says(site: Path, name: str):
    page = words(unescape(re.sub(r"<[^>]+>", "", (site / "api.html").read_text())))
    # Names of arguments and of errors stand in cells of their own.
    lines = [re.sub(r"^\s*[\w, ]+: ", "", line) for line in inspect.getdoc(getattr(tr2m, name)).splitlines()]
    lines = [words(line) for line in lines if len(line.split()) > 3]
    assert len(lines) >= 3
    assert [line for line in lines if line not in page] == []


def test_nothing_comes_from_elsewhere(site: Path):
    for page in site.rglob("*.html"):
        for tag in re.findall(r"<(?:script|link|img|iframe)[^>]*>", page.read_text()):
            assert "http" not in tag or 'rel="canonical"' in tag, f"{page.name}: {tag}"


def test_every_page_is_there(site: Path):
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"index", "contributing"}
    assert {path.stem for path in site.glob("*.html")} == pages | {"404"}
    listed = set(re.findall(r": (\w+)\.md$", (ROOT / "mkdocs.yml").read_text(), re.M))
    assert listed == pages, "mkdocs.yml lists every page"


@pytest.mark.parametrize(
    ("page", "link"), [("README.md", "docs/missing.md"), ("docs/results.md", "results.md#missing")]
)
def test_a_broken_link_fails(tmp_path: Path, page: str, link: str):
    for name in ("docs", "tr2m"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", "README.md", "CONTRIBUTING.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    with (tmp_path / page).open("a") as file:
        file.write(f"\n[here]({link})\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "missing" in done.stdout + done.stderr
