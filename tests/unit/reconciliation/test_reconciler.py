from __future__ import annotations

import asyncio
from typing import Any

import pytest

from explanation_service.reconciliation import reconciler as module
from explanation_service.reconciliation.findings import Kind
from explanation_service.reconciliation.reconciler import PAGE, Reconciler
from explanation_service.stores.records import IndexedState


async def a_moment() -> None:
    await asyncio.sleep(0)


def reconciler(stores: Any, revision: str | None = "r1", **options: Any) -> Reconciler:
    return Reconciler(stores, stores, stores, revision, **{"settle": None, **options})


def damage(stores: Any) -> None:
    """One template of each kind, and one that is as it should be."""
    for name in ("good", "missing", "stale", "incomplete", "draft"):
        stores.write(name)
        stores.index(name)
    stores.write("removed")
    stores.index("removed")
    del stores.stored["removed"]
    del stores.states["missing"]
    # As somebody edits it with mongosh: neither version nor time move.
    stores.write("stale", body="другой текст")
    stores.index("incomplete", whole=False)
    stores.write("draft", status="draft")


async def test_everything_that_differs_is_found_and_nothing_else(stores: Any) -> None:
    damage(stores)
    report = await reconciler(stores).run(repair=False)
    assert report.examples == {
        Kind.MISSING: ["missing"],
        Kind.STALE: ["stale"],
        Kind.INCOMPLETE: ["incomplete"],
        Kind.ORPHANED: ["draft", "removed"],
    }
    assert (report.found, report.templates, report.passages) == (5, 5, 10)
    assert report.by_content and stores.appended == [] and report.events == 0


async def test_repair_sends_an_event_for_each(stores: Any) -> None:
    damage(stores)
    report = await reconciler(stores).run(repair=True)
    sent = {event.entity_id: event.op for event in stores.appended}
    assert sent == {
        "missing": "upsert",
        "stale": "upsert",
        "incomplete": "upsert",
        "draft": "upsert",
        "removed": "delete",
    }
    assert report.events == report.found == len(stores.appended)


@pytest.mark.parametrize("revision", [None, "r2"])
async def test_another_model_is_not_taken_for_another_text(stores: Any, revision: Any) -> None:
    for number in range(3):
        stores.write(f"t{number}")
        stores.index(f"t{number}")
    stores.write("t1", version=5)
    report = await reconciler(stores, revision).run(repair=False)
    assert not report.by_content
    assert report.examples == {Kind.STALE: ["t1"]}


async def test_what_is_put_right_meanwhile_is_no_difference(stores: Any) -> None:
    for name in ("late", "lost"):
        stores.write(name)
    stores.before_second_look = lambda: stores.index("late")
    report = await reconciler(stores, settle=a_moment).run(repair=True)
    assert report.examples == {Kind.MISSING: ["lost"]}
    assert [event.entity_id for event in stores.appended] == ["lost"]


async def test_an_orphan_that_gets_a_document_meanwhile_is_none(stores: Any) -> None:
    for name in ("a", "b"):
        stores.write(name)
        stores.index(name)
        del stores.stored[name]
    asked = 0
    really = stores.existing_ids

    async def existing_ids(ids: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            stores.write("a")
        return await really(ids)

    stores.existing_ids = existing_ids
    report = await reconciler(stores, settle=a_moment).run(repair=False)
    assert report.examples == {Kind.ORPHANED: ["b"]}


async def test_an_orphan_counts_once_though_its_passages_lie_on_many_pages(stores: Any) -> None:
    stores.write("x")
    stores.index("x", chunks=90)
    del stores.stored["x"]
    stores.page = 10
    report = await reconciler(stores).run(repair=True)
    assert report.counts[Kind.ORPHANED] == len(stores.appended) == 1


async def test_ids_that_no_event_can_name_are_reported(stores: Any) -> None:
    stores.states["две запятые"] = IndexedState(1, "h", 1)
    report = await reconciler(stores).run(repair=True)
    assert (report.found, report.events, stores.appended) == (1, 0, [])


async def test_no_request_grows_with_the_rule_book(stores: Any) -> None:
    for number in range(10 * PAGE):
        stores.write(f"t{number:05}")
        if number % 3:
            stores.index(f"t{number:05}", chunks=3)
        if number % 5 == 1:
            del stores.stored[f"t{number:05}"]
    report = await reconciler(stores).run(repair=True)
    assert report.found > PAGE and report.events == report.found
    assert stores.largest <= max(PAGE, stores.page)
    assert all(len(ids) <= 5 for ids in report.examples.values())


async def test_progress_reaches_what_was_read(stores: Any) -> None:
    damage(stores)
    steps: list[int] = []
    report = await reconciler(stores).run(False, steps.append)
    assert sum(steps) == len(stores.stored) + report.passages


async def test_it_leaves_the_stores_to_the_others(
    stores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2 * PAGE):
        stores.write(f"t{number}")
        stores.index(f"t{number}")
    rests: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        rests.append(seconds)
        await sleep(0)

    monkeypatch.setattr(module.asyncio, "sleep", note)
    await reconciler(stores, share=0.2).run(repair=False)
    assert len(rests) == 3 and all(0 < seconds <= 1 for seconds in rests)
    rests.clear()
    await reconciler(stores, share=1.0).run(repair=False)
    assert rests == []


async def test_what_was_set_aside_is_found_and_left_alone(stores: Any) -> None:
    for name, version in (("poison", 3), ("edited", 4), ("lost", 1)):
        stores.write(name, version=version)

    async def set_aside() -> set[tuple[str, int]]:
        return {("poison", 3), ("edited", 3)}

    report = await reconciler(stores, set_aside=set_aside).run(repair=True)
    assert (report.found, report.events) == (3, 2)
    assert sorted(event.entity_id for event in stores.appended) == ["edited", "lost"]
