"""The command, run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from explanation_service.cli import main as command


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def explanation(capsys, monkeypatch) -> Callable[..., Outcome]:
    """`explanation("doctor")` is the outcome of the command with these arguments."""
    # It sends the log lines of this process to a stream that pytest takes away again.
    monkeypatch.setattr(command, "configure_logging", lambda *_: None)

    def run(*arguments: str) -> Outcome:
        try:
            code = command.main(arguments)
        except SystemExit as error:
            code = int(error.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run
