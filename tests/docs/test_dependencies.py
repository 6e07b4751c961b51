"""Each declared dependency has its row in docs/dependencies.md: why, licence, what it costs."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path("docs/dependencies.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| package")
]


def declared() -> set[str]:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = chain(project["dependencies"], *project["optional-dependencies"].values())
    return {Requirement(text).name for text in texts}


def test_every_dependency_has_one_row() -> None:
    # What stands in brackets comes along with a package and is not declared.
    named = [name for row in ROWS for name in re.sub(r" \(.*\)", "", row[0]).split(", ")]
    assert [name for name in named if named.count(name) > 1] == []
    assert sorted(declared() - set(named)) == []
    others = {"buildifier", "promtool"}
    assert sorted(set(named) - declared() - others) == []


def test_a_row_says_all() -> None:
    for row in ROWS:
        assert len(row) == 4, row
        assert all(row), row
        packages = re.sub(r" \(.*\)", "", row[0]).split(", ")
        licences = re.sub(r" \(.*?\)", "", row[1]).split(", ")
        alike = len(set(licences)) == 1
        assert len(licences) >= len(packages) or (alike and len(packages) == 1), row
