"""The documentation tells the truth: its links lead somewhere, and what it calls exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from safe_lightning.cli import VERBS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "hooks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]+)?\)")
CALL = re.compile(r"^\s*\$? ?safe-lightning ([a-z]+)\b", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        if anchor:
            assert anchor[1:] in headings(file), anchor


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_verbs_that_are_shown_exist(page: Path) -> None:
    assert set(CALL.findall(page.read_text())) <= set(VERBS)


def test_every_file_that_contributing_names_exists() -> None:
    rows = [line for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if line.startswith("| ")]
    named = [name for line in rows for name in re.findall(r"`((?:safe_lightning|hooks|tests|docs)/[\w./*]+)`", line)]
    assert named
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []
