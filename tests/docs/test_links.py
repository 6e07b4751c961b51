"""Every link of a page to another one, to a picture or to a heading leads somewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, anchors, prose

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def links(page: Path) -> list[str]:
    """What a page links to within the repository."""
    found = LINK.findall(prose(page.read_text(encoding="utf-8")))
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = Path(os.path.normpath(page.parent / path)) if path else page
        assert target.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page} links to {link}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached = {Path("README.md")}
    waiting = list(reached)
    while waiting:
        page = waiting.pop()
        for link in links(page):
            path = Path(os.path.normpath(page.parent / link.partition("#")[0]))
            if path.suffix == ".md" and path not in reached:
                reached.add(path)
                waiting.append(path)
    assert [page for page in PAGES if page not in reached] == []
