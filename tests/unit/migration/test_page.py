"""docs/migration.md says of options and exit codes what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.scripts.migration import outcomes
from infra.scripts.migration.options import parse

PAGE = Path("docs/migration.md").read_text(encoding="utf-8")


def test_exit_codes() -> None:
    table = PAGE.partition("## Exit codes")[2].partition("##")[0]
    described = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert described == {value for value in vars(outcomes).values() if isinstance(value, int)}


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    others = {"--profile", "--test_arg", "--test_output"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z_-]+", PAGE)) - others <= known


def test_defaults() -> None:
    options = parse([])
    named = re.findall(r"`--([a-z]+)-seconds` \((\d+)", PAGE)
    named += re.findall(r"`--([a-z]+)-seconds`, (\d+)", PAGE)
    assert len(named) >= 7
    for name, default in named:
        assert getattr(options, f"{name}_seconds") == int(default), name


@pytest.mark.parametrize("given", ["-1", "1e7", "soon", "nan"])
def test_seconds_that_are_none(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--watch-seconds", given])
    assert ended.value.code == outcomes.USAGE
    assert "no number of seconds" in capsys.readouterr().err or given == "-1"
