"""Writes the table of all settings into docs/explanation-service.md.

    ./bazelw run //tools/docs:settings_table

What a setting means stands in .env.example, what it may be in the settings themselves.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from explanation_service.settings import Settings

PAGE = Path("docs/explanation-service.md")
EXAMPLE = Path(".env.example")
BEGIN = "<!-- settings: ./bazelw run //tools/docs:settings_table -->"
END = "<!-- end of settings -->"


@dataclass(frozen=True)
class Variable:
    """One variable of .env.example."""

    name: str
    default: str
    meaning: str


def variables(example: str) -> list[Variable]:
    """The variables of .env.example in their order; the comment before each is its meaning."""
    found = []
    comment: list[str] = []
    for line in example.splitlines():
        if line.startswith("# "):
            comment.append(line.removeprefix("# "))
            continue
        if "=" in line:
            name, default = line.split("=", 1)
            found.append(Variable(name, default, " ".join(comment)))
        comment = []
    return found


def table(example: str) -> str:
    """The table in Markdown."""
    lines = ["| variable | default | what | may be |", "|---|---|---|---|"]
    for one in variables(example):
        allowed = Settings.model_fields[one.name.lower()].description or ""
        default = f"`{one.default}`" if one.default else ""
        cells = (f"`{one.name}`", default, one.meaning, allowed)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def rewritten(page: str, example: str) -> str:
    """The page with the table as it is now; raises ValueError when a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table(example)}\n\n{END}{after}"


def main() -> int:
    workspace = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    page = workspace / PAGE
    example = (workspace / EXAMPLE).read_text(encoding="utf-8")
    page.write_text(rewritten(page.read_text(encoding="utf-8"), example), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
