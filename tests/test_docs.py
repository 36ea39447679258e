"""The documentation names files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "docs/results/README.md"]
FILES = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".git" not in path.parts]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_module_that_a_page_names_is_there(page):
    named = set(re.findall(r"`([\w./]+\.(?:py|tcss))`", page.read_text()))
    assert not [name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in FILES)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_link_within_the_repository_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]
