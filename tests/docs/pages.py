"""The project's own pages, and what is code on them."""

from __future__ import annotations

import re
from pathlib import Path

PAGES = sorted([*Path().glob("*.md"), *Path("docs").glob("*.md")])

_FENCED = re.compile(r"^```.*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"(^|\s)# .*$")
_PROGRAM = re.compile(
    r"(\./bazelw|bench/\w+\.sh|curl|dead-letters|docker|explanation|git|kubectl|openapi-python-client"
    r"|pip|pre-commit|pytest|python|rebuild(-embeddings)?|redis-cli|set) \S"
)
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


def shell_blocks(text: str) -> list[str]:
    """Blocks for a shell; commands of more than a line are in no other ones."""
    return _SHELL.findall(text)


def commands(block: str) -> list[str]:
    """Its commands, each one line without its comment."""
    lines = (_COMMENT.sub("", line).strip() for line in block.replace("\\\n", " ").splitlines())
    return [" ".join(line.split()) for line in lines if line]


def command_spans(text: str) -> list[str]:
    """Commands within sentences and tables: more than one word, and a program first."""
    spans = (span.replace("\\|", "|") for span in _SPAN.findall(_FENCED.sub("", text)))
    return [span for span in spans if _PROGRAM.match(span)]


def hidden_commands(text: str) -> list[str]:
    """Lines that look like commands, in code that is not marked as a shell's."""
    rest = _SHELL.sub("", text)
    parts = [*_FENCED.findall(rest), *_INDENTED.findall(_FENCED.sub("", rest))]
    lines = [line.strip() for part in parts for line in part.splitlines()]
    return [line for line in lines if _PROGRAM.match(line)]


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
