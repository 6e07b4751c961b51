from __future__ import annotations

import time

import pytest

from explanation_service.telemetry.redaction import redact, redact_event


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mongodb://u:p@h:1/d", "mongodb://u:***@h:1/d"),
        ("redis://:p@h and redis://:q@h", "redis://:***@h and redis://:***@h"),
        ("Authorization: Api-Key abc", "Authorization: Api-Key ***"),
        ("http://host:80/a@b", "http://host:80/a@b"),
        ("no secret: a@b", "no secret: a@b"),
    ],
)
def test_secrets_in_texts(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_values_are_hidden_by_their_name() -> None:
    event = {"qdrant_api_key": "x", "Authorization": "x", "password": "x", "tokens": 5, "key": "k"}
    assert redact_event(None, "info", event) == {
        "qdrant_api_key": "***",
        "Authorization": "***",
        "password": "***",
        "tokens": 5,
        "key": "k",
    }


def test_a_hostile_line_costs_no_time() -> None:
    started = time.perf_counter()
    redact("a" * 200_000)
    redact("a://" * 50_000)
    assert time.perf_counter() - started < 2.0
