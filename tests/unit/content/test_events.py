from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_service.content.events import ContentEvent, MalformedEvent, parse_event

FIELDS = {
    "event_id": "e1",
    "entity": "template",
    "entity_id": "commas",
    "op": "upsert",
    "version": "3",
    "occurred_at": "2026-01-02T03:04:05.678+00:00",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


def test_fields_come_back() -> None:
    event = parse_event(FIELDS)
    assert event.occurred_at == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert event.to_fields() == FIELDS


@given(
    event_id=st.text(min_size=1, max_size=128).filter(lambda text: "\ud800" not in text),
    entity_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True),
    op=st.sampled_from(["upsert", "delete"]),
    version=st.integers(1, 2**53),
    occurred_at=st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)),
    traceparent=st.none() | st.just("00-aa-bb-01"),
    repair=st.booleans(),
)
def test_every_event_survives_the_stream(**fields: object) -> None:
    event = ContentEvent.model_validate(fields)
    kept = event.occurred_at.replace(microsecond=event.occurred_at.microsecond // 1000 * 1000)
    assert parse_event(event.to_fields()) == event.model_copy(update={"occurred_at": kept})


def test_unknown_fields_are_ignored_and_traceparent_may_be_absent() -> None:
    fields = {**FIELDS, "colour": "red"}
    del fields["traceparent"]
    event = parse_event(fields)
    assert event.traceparent is None and "traceparent" not in event.to_fields()


@pytest.mark.parametrize(
    "name", ["event_id", "entity", "entity_id", "op", "version", "occurred_at"]
)
def test_a_missing_field_is_named(name: str) -> None:
    fields = {key: value for key, value in FIELDS.items() if key != name}
    with pytest.raises(MalformedEvent) as caught:
        parse_event(fields)
    assert caught.value.reason == f"{name}: field is missing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_id", ""),
        ("entity", "picture"),
        ("entity_id", "../etc"),
        ("entity_id", "\ufffd"),
        ("op", "burn"),
        ("version", "0"),
        ("version", "1.5"),
        ("version", "new"),
        ("occurred_at", "yesterday"),
    ],
)
def test_a_bad_value_is_named_and_not_quoted(name: str, value: str) -> None:
    with pytest.raises(MalformedEvent) as caught:
        parse_event({**FIELDS, name: value})
    assert caught.value.reason.startswith(f"{name}: ") and "\n" not in caught.value.reason


def test_no_fields_at_all() -> None:
    with pytest.raises(MalformedEvent):
        parse_event({})
