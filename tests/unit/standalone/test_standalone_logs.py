from __future__ import annotations

from pathlib import Path

from explanation_service.standalone import logs


def test_rotation_keeps_three_older_logs(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    for number in range(6):
        logs.rotate(log)
        log.write_text(str(number))
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"api.log": "5", "api.log.1": "4", "api.log.2": "3", "api.log.3": "2"}


def test_tail_starts_where_the_last_run_ended(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert logs.tail(log) == "" and logs.size(log) == 0
    log.write_text("old\n")
    before = logs.size(log)
    assert logs.last_words(log, before) == ""
    with log.open("a") as file:
        file.write("new\n\n")
    assert logs.tail(log, before) == "new\n\n"
    assert logs.last_words(log, before) == "new"


def test_last_words_of_a_structured_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text('{"event": "worker cannot start", "why": "The model is another one."}\n')
    assert logs.last_words(log) == "The model is another one."
    log.write_text('{"event": "stopped"}\n')
    assert logs.last_words(log) == "stopped"
    log.write_text("[1, 2]\n")
    assert logs.last_words(log) == "[1, 2]"
