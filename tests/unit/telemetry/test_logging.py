from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from explanation_service.telemetry.logging import configure_logging, get_logger
from explanation_service.telemetry.request_context import bind


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_has_all_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "api")
    with bind("r1", "t1"):
        get_logger("some.module").info("шаблон записан", template_id="a", version=2)
    (line,) = lines(capsys)
    assert datetime.fromisoformat(line.pop("ts")).utcoffset() is not None
    assert line == {
        "event": "шаблон записан",
        "level": "info",
        "logger": "some.module",
        "service": "api",
        "request_id": "r1",
        "traceparent": "t1",
        "template_id": "a",
        "version": 2,
    }


def test_outside_of_a_request_there_is_no_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "worker")
    get_logger("m").warning("x")
    (line,) = lines(capsys)
    assert "request_id" not in line and "traceparent" not in line


def test_the_level_holds_and_can_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    log = get_logger("m")
    configure_logging("WARNING", "api")
    log.info("hidden")
    log.warning("shown")
    configure_logging("debug", "api")
    log.debug("shown too")
    assert [line["event"] for line in lines(capsys)] == ["shown", "shown too"]


def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "api")
    logging.getLogger("uvicorn.error").info("listening on %s:%d", "host", 80)
    logging.getLogger("httpx").info("a line for each request")
    (line,) = lines(capsys)
    assert (line["event"], line["service"], line["logger"]) == (
        "listening on host:80",
        "api",
        "uvicorn.error",
    )


def test_an_exception_is_one_line_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "api")
    try:
        raise RuntimeError("no way to mongodb://user:hunter2@host/db")
    except RuntimeError:
        get_logger("m").exception("failed", api_key="hunter2", detail="Bearer hunter2")
    (line,) = lines(capsys)
    assert "RuntimeError" in line["exception"] and "mongodb://user:***@host/db" in line["exception"]
    assert "hunter2" not in json.dumps(line)


def test_values_that_are_no_json_do_not_lose_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "api")
    get_logger("m").info("x", what=object, path={1, 2})
    assert lines(capsys)[0]["event"] == "x"
