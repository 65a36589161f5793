"""`make docs`: the site builds, a broken link fails, nothing comes from elsewhere, and pages say what help() says."""

from __future__ import annotations

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


def text_of(page: Path) -> str:
    """What a reader sees, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page.read_text())).split())


@pytest.mark.parametrize("name", ["predict", "predict_batch", "load_model", "push_to_hub", "TR2M"])
def test_the_page_says_what_help_says(site: Path, name: str):
    page, docstring = text_of(site / "api.html"), getattr(tr2m, name).__doc__
    sentences = re.findall(r"[A-Z][^.:`\"]{25,}\.", docstring)
    assert sentences
    assert [s for s in sentences if " ".join(s.split()) not in page] == []


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
