from __future__ import annotations

import pytest

from explanation_service.standalone import embedding_progress
from explanation_service.standalone import terminal as terminals
from explanation_service.standalone.services import Addresses
from explanation_service.standalone.terminal import Terminal

ADDRESSES = Addresses("", "", "", "127.0.0.1", 1, 2)


def test_the_result_is_on_stdout_and_the_rest_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say("redis is up")
    terminal.result(["READY http://h", "curl"])
    said = capsys.readouterr()
    assert said.out == "READY http://h\ncurl\n"
    assert said.err.endswith("redis is up\n")


def test_lines_of_progress_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminals, "_LINE_INTERVAL", 0.0)
    with Terminal().progress("embedding") as progress:
        for count in (80, 84, 20, 0):
            progress.waiting(count)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [
        "0 of 80",
        "0 of 84",
        "64 of 84",
        "84 of 84",
    ]


async def test_it_waits_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        (0, None),
        (200, {"unavailable": ["redis"]}),
        (200, {"unavailable": [], "stream_lag": None, "pending": 1}),
        (200, {"unavailable": [], "stream_lag": 3, "pending": 1}),
        (200, {"unavailable": [], "stream_lag": 0, "pending": 0}),
    ]
    monkeypatch.setattr(embedding_progress, "_POLL_SECONDS", 0)
    monkeypatch.setattr(embedding_progress.probes, "get_json", lambda *arguments: answers.pop(0))
    await embedding_progress.until_embedded(ADDRESSES, {}, 5, Terminal())
    assert answers == []


async def test_it_only_tells_what_an_older_run_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = (200, {"unavailable": [], "stream_lag": 3, "pending": 4})
    monkeypatch.setattr(embedding_progress.probes, "get_json", lambda *arguments: answer)
    await embedding_progress.until_embedded(ADDRESSES, {}, 0, Terminal())
    assert capsys.readouterr().err.endswith("still to be embedded: 7\n")
