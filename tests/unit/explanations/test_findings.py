"""What an explanation rests on: as the rule book is now, and in time."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import UTC, datetime

import pytest

from explanation_service.content.rule_book import TemplateNotFound
from explanation_service.content.template import Template
from explanation_service.explanations.findings import FindingsService
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.retrieval.search import SearchResult
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.records import Passage

ASK = ExplanationRequest("Какая буква?")
NAMED = ExplanationRequest("Какая буква?", template_id="named")


def passage(template_id: str, version: int = 1) -> Passage:
    return Passage(template_id, 0, version, "Т", "Текст из индекса.", None, None, (), 0.5)


def template(template_id: str, version: int, body: str = "Текст из книги.") -> Template:
    return Template(
        id=template_id, title="Т", body=body, version=version, updated_at=datetime.now(UTC)
    )


class Stores:
    def __init__(self) -> None:
        self.hits = [passage("a"), passage("b")]
        self.book = {}
        self.hanging = set()
        self.searched = 0

    async def _serve(self, name):
        if name in self.hanging:
            await asyncio.Event().wait()

    async def search(self, query, limit, filters):
        self.searched += 1
        await self._serve("search")
        return SearchResult(self.hits, "hybrid", False, {})

    async def get(self, template_id):
        await self._serve("get")
        if template_id not in self.book:
            raise TemplateNotFound(template_id)
        return self.book[template_id]

    async def current(self, ids):
        await self._serve("current")
        return {key: self.book[key] for key in ids if key in self.book}


@pytest.fixture
def stores() -> Stores:
    return Stores()


async def find(stores, request=ASK, seconds=30.0):
    return await FindingsService(stores, stores).find(request, time.monotonic() + seconds)


async def test_an_edited_rule_is_explained_as_it_is_now(stores):
    stores.book = {"a": template("a", 2), "b": template("b", 1)}
    first, second = (await find(stores)).passages
    assert (first.text, first.version, first.score) == ("Текст из книги.", 2, 0.5)
    assert (second.text, second.version) == ("Текст из индекса.", 1)


async def test_a_passage_from_further_down_comes_with_what_its_rule_states(stores):
    inner = dataclasses.replace(passage("a"), chunk_index=2, text="Примеры: вода, трава.")
    stores.hits = [inner, dataclasses.replace(inner, template_id="b", text="Правило. Примеры.")]
    stores.book = {"a": template("a", 1, "Правило."), "b": template("b", 1, "Правило.")}
    first, second = (await find(stores)).passages
    assert first.text == "Правило.\n\nПримеры: вода, трава."
    assert second.text == "Правило. Примеры."


async def test_a_deleted_rule_is_explained_no_more(stores):
    stores.book = {"a": None}
    assert [one.template_id for one in (await find(stores)).passages] == ["b"]


async def test_without_the_book_the_index_is_believed(stores):
    stores.hanging = {"current"}
    findings = await find(stores)
    assert len(findings.passages) == 2 and not findings.degraded


async def test_a_search_that_hangs_leaves_the_named_rule(stores):
    stores.book = {"named": template("named", 1)}
    stores.hanging = {"search"}
    started = time.monotonic()
    findings = await find(stores, NAMED, 0.1)
    assert time.monotonic() - started < 5
    assert [one.template_id for one in findings.passages] == ["named"]
    assert findings.degraded and findings.mode is None


async def test_a_search_that_hangs_and_no_named_rule(stores):
    stores.hanging = {"search"}
    with pytest.raises(StoreUnavailable, match="qdrant"):
        await find(stores, seconds=0.1)


async def test_a_book_that_hangs_leaves_the_search(stores):
    stores.hanging = {"get", "current"}
    findings = await find(stores, NAMED, 0.1)
    assert [one.template_id for one in findings.passages] == ["a", "b"]
    assert findings.degraded


async def test_a_rule_of_nothing_ends_the_search(stores):
    stores.hanging = {"search"}
    with pytest.raises(TemplateNotFound):
        await find(stores, NAMED)
