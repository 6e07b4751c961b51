from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from explanation_service.content.importer import ImportFault, import_templates, read_jsonl
from explanation_service.content.template import Template, TemplateDraft
from explanation_service.stores.errors import StoreRejected, StoreUnavailable

LINE = {"id": "a", "title": "Т", "body": "Б", "topic": "т", "tags": ["x"], "status": "draft"}


def written(tmp_path: Path, *lines: str | bytes) -> Path:
    path = tmp_path / "rules.jsonl"
    path.write_bytes(
        b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    )
    return path


def row(**more: Any) -> str:
    return json.dumps({**LINE, **more}, ensure_ascii=False)


def test_lines_become_drafts(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + row().encode(), "", "  ", row(id="b", tags=[]))
    items = dict(read_jsonl(path))
    assert list(items) == ["a", "b"]
    assert items["a"] == TemplateDraft(title="Т", body="Б", topic="т", tags=("x",), status="draft")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "is no JSON (Expecting property name enclosed in double quotes)"),
        ("[]", "is no JSON object"),
        (b"\xff", "is no UTF-8"),
        ('{"title": "t", "body": "b"}', "id: field is missing"),
        ('{"id": "b", "title": "t"}', "body: field is missing"),
        (row(id="b c"), "id: String should match"),
        (row(id=5), "id: Input should be a valid string"),
        (row(id="b", status="x"), "status: Input should be 'published' or 'draft'"),
        (row(id="b", tags=[""]), "tags.0: String should have at least 1 character"),
        (row(), "repeats the id of line 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str | bytes, reason: str) -> None:
    items = read_jsonl(written(tmp_path, row(), "", bad))
    assert next(items)[0] == "a"
    with pytest.raises(ImportFault) as caught:
        next(items)
    assert caught.value.line == 3 and caught.value.reason.startswith(reason)
    assert str(caught.value).startswith("rules.jsonl, line 3: ")


class Book:
    """A rule book in memory that can refuse an id or fail at one."""

    def __init__(self, refuses: str = "", fails_at: str = "") -> None:
        self.templates: dict[str, Template] = {}
        self.puts: list[str] = []
        self._refuses, self._fails_at = refuses, fails_at

    async def get_many(self, ids: list[str]) -> dict[str, Template]:
        return {key: self.templates[key] for key in ids if key in self.templates}

    async def put(self, key: str, draft: TemplateDraft) -> tuple[Template, bool]:
        if key == self._refuses:
            raise StoreRejected("mongodb", "too large")
        if key == self._fails_at:
            raise StoreUnavailable("mongodb", "gone")
        self.puts.append(key)
        created = key not in self.templates
        self.templates[key] = Template(
            id=key, version=1, updated_at="2026-01-01T00:00:00Z", **draft.model_dump()
        )
        return self.templates[key], created


def items(count: int, body: str = "Б") -> list[tuple[str, TemplateDraft]]:
    return [(f"t{number:03}", TemplateDraft(title="Т", body=body)) for number in range(count)]


async def test_only_what_is_new_or_differs_is_written() -> None:
    book, steps = Book(), list[int]()
    first = await import_templates(book, items(205), steps.append)  # type: ignore[arg-type]
    assert (first.created, first.updated, first.unchanged, first.failed) == (205, 0, 0, 0)
    assert sum(steps) == 205
    book.puts.clear()
    changed = items(203) + items(205, "иначе")[203:] + [("new", items(1)[0][1])]
    second = await import_templates(book, changed)  # type: ignore[arg-type]
    assert (second.created, second.updated, second.unchanged) == (1, 2, 203)
    assert sorted(book.puts) == ["new", "t203", "t204"]


async def test_a_refused_template_stops_nothing() -> None:
    report = await import_templates(Book(refuses="t001"), items(3))  # type: ignore[arg-type]
    assert (report.created, report.failed) == (2, 1)
    assert report.faults == ["t001: mongodb rejected the request: too large"]


async def test_a_store_that_goes_away_ends_the_import() -> None:
    book = Book(fails_at="t010")
    with pytest.raises(StoreUnavailable):
        await import_templates(book, items(50))  # type: ignore[arg-type]
    assert "t000" in book.puts and "t040" not in book.puts
