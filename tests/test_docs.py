"""The documentation names files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "docs/results/README.md"]
BEGIN = [ROOT, ROOT / "core/packnet_core", ROOT / "packnet_tui", ROOT / "packnet_tui/workbench", ROOT / "docs"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page):
    named = set(re.findall(r"`([\w./-]+\.(?:py|md|json|sh|svg|toml|tcss))`", page.read_text()))
    named |= {link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()) if "://" not in link}
    missing = [name for name in named if not any((begin / name).exists() for begin in [page.parent, *BEGIN])]
    assert not missing
