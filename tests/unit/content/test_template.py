from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from explanation_service.content.template import TEMPLATE_ID_PATTERN, Template, TemplateDraft

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def draft(**more: Any) -> TemplateDraft:
    return TemplateDraft.model_validate({"title": "Т", "body": "Б", **more})


def test_only_title_and_body_are_needed() -> None:
    bare = draft()
    assert (bare.topic, bare.exam, bare.tags, bare.status) == (None, None, (), "published")
    assert draft(id="a", version=7, unknown=1) == bare


@pytest.mark.parametrize(
    "more",
    [
        {"title": "x" * 300},
        {"body": "ы" * 100_000},
        {"topic": "x" * 100, "exam": "x" * 100},
        {"tags": ["x" * 64] * 32},
        {"status": "draft"},
    ],
)
def test_limits_are_inclusive(more: dict[str, Any]) -> None:
    assert draft(**more)


@pytest.mark.parametrize(
    "more",
    [
        {"title": ""},
        {"title": " \n"},
        {"title": "x" * 301},
        {"title": 5},
        {"body": ""},
        {"body": "\t"},
        {"body": "x" * 100_001},
        {"body": "\ud800"},
        {"topic": "x" * 101},
        {"exam": "x" * 101},
        {"tags": ["x"] * 33},
        {"tags": ["x" * 65]},
        {"tags": [" "]},
        {"tags": "word"},
        {"status": "hidden"},
    ],
)
def test_beyond_the_limits(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        draft(**more)


@pytest.mark.parametrize("good", ["a", "A1._-", "0", "x" * 128])
def test_ids(good: str) -> None:
    assert re.search(TEMPLATE_ID_PATTERN, good)
    assert Template(id=good, title="Т", body="Б", version=1, updated_at=NOW).id == good


@pytest.mark.parametrize("bad", ["", ".a", "-a", "a b", "a/b", "правило", "x" * 129, "a\n"])
def test_bad_ids(bad: str) -> None:
    with pytest.raises(ValidationError):
        Template(id=bad, title="Т", body="Б", version=1, updated_at=NOW)


def test_a_template_gives_its_draft_back() -> None:
    written = draft(topic="т", tags=["x"], status="draft")
    template = Template(id="a", version=2, updated_at=NOW, **written.model_dump())
    assert template.draft() == written and type(template.draft()) is TemplateDraft


def test_times_are_utc() -> None:
    moscow = NOW.astimezone(timezone(timedelta(hours=3)))
    for given in (NOW, moscow, NOW.replace(tzinfo=None)):
        template = Template(id="a", title="Т", body="Б", version=1, updated_at=given)
        assert template.updated_at == NOW
        assert json.loads(template.model_dump_json())["updated_at"] == "2026-01-02T03:04:05Z"
