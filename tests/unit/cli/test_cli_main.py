"""The command as a whole: help, faults, exit codes."""

from __future__ import annotations

import socket
import sys
import types

import pytest

from explanation_service.cli import doctor
from explanation_service.cli.faults import CommandFault

NOWHERE = ("--mongodb-uri", "mongodb://127.0.0.1:1", "--redis-url", "redis://127.0.0.1:1")


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert line.endswith(".")
    return line


def test_help_names_every_sub_command(explanation):
    outcome = explanation("--help")
    assert outcome.code == 0
    for name in ("standalone", "templates", "dead-letters", "doctor", "healthcheck"):
        assert name in outcome.out


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("templates",), ("dead-letters", "drop")])
def test_wrong_use_is_exit_code_2(explanation, arguments):
    assert explanation(*arguments).code == 2


def test_a_bad_setting_is_one_sentence(explanation, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "http://secret")
    outcome = explanation("doctor")
    assert (outcome.code, outcome.out) == (2, "")
    assert one_line(outcome.err).startswith("REDIS_URL")
    assert "secret" not in outcome.err


def test_a_store_that_is_away_is_one_sentence(explanation):
    outcome = explanation("templates", "import", "sample", *NOWHERE)
    assert (outcome.code, outcome.out) == (1, "")
    assert one_line(outcome.err).startswith("Redis is unavailable")


def test_a_file_that_is_away_is_one_sentence(explanation):
    outcome = explanation("templates", "import", "/nowhere.jsonl", *NOWHERE)
    assert outcome.code == 1
    assert "/nowhere.jsonl" in one_line(outcome.err)


def test_a_bad_line_is_named_before_anything_is_written(explanation, tmp_path):
    path = tmp_path / "rules.jsonl"
    path.write_text('{"id": "a", "title": "t", "body": "b"}\n{"id": "b"}\n')
    outcome = explanation("templates", "import", str(path), *NOWHERE)
    assert outcome.code == 1
    assert "line 2" in one_line(outcome.err)


def test_a_mistake_of_ours_is_not_hidden(explanation, monkeypatch):
    def broken(_settings):
        raise RuntimeError("ours")

    monkeypatch.setattr(doctor, "_examine", broken)
    with pytest.raises(RuntimeError):
        explanation("doctor")


def test_a_fault_of_a_command_is_printed(explanation, monkeypatch):
    def fault(_settings):
        raise CommandFault("there is no such thing")

    monkeypatch.setattr(doctor, "_examine", fault)
    outcome = explanation("doctor")
    assert (outcome.code, outcome.err) == (1, "There is no such thing.\n")


def test_an_interrupt_is_quiet(explanation, monkeypatch):
    def interrupt(_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "_examine", interrupt)
    outcome = explanation("doctor")
    assert (outcome.code, outcome.err) == (130, "")


def test_standalone_gets_its_own_arguments(explanation, monkeypatch):
    seen: list[list[str]] = []
    module = types.ModuleType("explanation_service.standalone.main")
    module.main = lambda arguments: seen.append(arguments) or 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "explanation_service.standalone.main", module)
    assert explanation("standalone", "--port", "1", "-h").code == 3
    assert seen == [["--port", "1", "-h"]]


def test_doctor_has_a_sentence_for_everything(explanation, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{port}")
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}")
    monkeypatch.setenv("QDRANT_URL", f"http://127.0.0.1:{port}")
    outcome = explanation("doctor")
    lines = outcome.out.splitlines()
    assert outcome.code == 1
    assert len(lines) == len(doctor.CHECKS)
    assert all(line.endswith(".") for line in lines)
    for name in ("mongodb", "redis", "qdrant"):
        assert any(line.startswith("wrong") and name in line for line in lines)
