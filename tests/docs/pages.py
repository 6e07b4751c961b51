"""The project's own pages, and what is code on them."""

from __future__ import annotations

import re
from pathlib import Path

PAGES = sorted([*Path().glob("*.md"), *Path("docs").glob("*.md")])

_FENCED = re.compile(r"^```.*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")


def code(text: str) -> list[str]:
    """Code blocks and code spans of a page; a command that goes on in the next line is one line."""
    fenced = _FENCED.findall(text)
    rest = _FENCED.sub("", text)
    return [
        part.replace("\\\n", " ")
        for part in [*fenced, *_INDENTED.findall(rest), *_SPAN.findall(rest)]
    ]


def prose(text: str) -> str:
    """The page without its code."""
    return _SPAN.sub("", _FENCED.sub("", text))


def anchors(text: str) -> set[str]:
    """What the headings are called in links, as GitHub names them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
    return {name if not again else f"{name}-{again}" for name, again in found.items()}
