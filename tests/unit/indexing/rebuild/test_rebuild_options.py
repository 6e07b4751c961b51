from __future__ import annotations

from pathlib import Path

import pytest

from explanation_service.indexing.rebuild.options import Options, parse


def test_nothing_given_is_a_rebuild() -> None:
    assert parse([]) == Options()


def test_each_action_by_its_flag() -> None:
    for flag, action in (
        ("--dry-run", "plan"),
        ("--rollback", "rollback"),
        ("--drop-old", "drop-old"),
        ("--abandon", "abandon"),
    ):
        assert parse([flag]).action == action


def test_figures() -> None:
    options = parse(["--tolerance", "0.1", "--at-least", "0.5", "--rate", "20", "--nice", "0"])
    assert (options.tolerance, options.at_least, options.rate, options.nice) == (0.1, 0.5, 20, 0)
    assert parse(["--questions", "q", "--model-path", "m"]).questions == Path("q")


@pytest.mark.parametrize(
    "arguments",
    ["--dry-run --rollback", "--tolerance 2", "--at-least -1", "--rate 0", "--rate inf", "extra"],
)
def test_wrong_use_is_exit_code_2(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments.split())
    assert ended.value.code == 2
