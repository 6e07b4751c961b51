"""What a chaos run calls lost, stale, resurrected and so on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bench.chaos_edits import MARK, Ledger
from bench.chaos_verdict import (
    Verdict,
    judge_dead_letters,
    judge_index,
    judge_rule_book,
    wanted_points,
)
from bench.toy_model import ToyModel
from explanation_service.content.template import Template, TemplateDraft
from explanation_service.stores.dead_letters import DeadLetter
from explanation_service.stores.records import PassagePoint, SparseVector
from explanation_service.stores.vector_points import to_point

BODY = " ".join(f"Предложение номер {number} о правописании частиц." for number in range(40))


def template(template_id: str, version: int = 3, **changes: Any) -> Template:
    given = {"title": "Правило", "body": BODY, "topic": "орфография", "tags": ("тире",), **changes}
    return Template(id=template_id, version=version, updated_at=datetime.now(UTC), **given)


def points_of(one: Template) -> list[dict[str, Any]]:
    """As the worker writes them and Qdrant shows them."""
    want = wanted_points(one, ToyModel(), vectors=True)
    return [
        to_point(
            PassagePoint(
                template_id=one.id,
                chunk_index=number,
                chunks_total=len(want.texts),
                version=one.version,
                content_hash=want.labels["content_hash"],
                title=one.title,
                text=text,
                topic=one.topic,
                exam=one.exam,
                tags=one.tags,
                dense=list(vector),
                lexical=SparseVector((1,), (1.0,)),
            )
        ).model_dump()
        for number, (text, vector) in enumerate(zip(want.texts, want.vectors, strict=True))
    ]


def judged(points: list[dict[str, Any]], *published: Template) -> dict[str, set[str]]:
    """Only what is wrong."""
    verdict = Verdict()
    model = ToyModel()
    judge_index(verdict, {one.id: wanted_points(one, model, True) for one in published}, points)
    return {name: found for name, found in verdict.rows() if found}


def test_an_index_that_equals_the_rule_book_is_clean() -> None:
    one, other = template("a"), template("b", topic=None, tags=())
    points = points_of(one) + points_of(other)
    assert len(points) > 4
    assert judged(points, one, other) == {}


@pytest.mark.parametrize("left", [0, 1])
def test_a_template_or_a_part_of_it_that_is_missing_is_lost(left: int) -> None:
    one = template("a")
    assert judged(points_of(one)[:left], one) == {"lost": {"a"}}


def test_what_the_rule_book_does_not_publish_is_resurrected() -> None:
    assert judged(points_of(template("gone"))) == {"resurrected": {"gone"}}


def _with_payload(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda point: point["payload"].update(changes)


def _other_vector(point: dict[str, Any]) -> None:
    point["vector"]["dense"].reverse()


@pytest.mark.parametrize(
    "change",
    [
        _with_payload(version=2),
        _with_payload(text="другой текст"),
        _with_payload(topic="пунктуация"),
        _with_payload(content_hash="0" * 32),
        _with_payload(left_over=True),
        _other_vector,
    ],
)
def test_a_point_that_differs_is_stale(change: Callable[[dict[str, Any]], None]) -> None:
    one = template("a")
    points = points_of(one)
    change(points[1])
    assert judged(points, one) == {"stale": {"a"}}


def test_a_point_too_many_is_a_duplicate() -> None:
    one = template("a")
    points = points_of(one)
    beyond = {**points[0], "payload": {**points[0]["payload"], "chunk_index": len(points)}}
    assert judged([*points, beyond], one) == {"duplicated": {"a"}}
    assert judged([*points, points[0]], one) == {"duplicated": {"a"}}


def test_the_rule_book_is_compared_with_what_it_acknowledged() -> None:
    draft = TemplateDraft(title="Правило", body="текст")
    ledger = Ledger(written={"same": draft, "other": draft, "gone": draft, "deleted": None})
    stored = {
        "same": template("same", **draft.model_dump()),
        "other": template("other"),
        "deleted": template("deleted"),
        "unknown": template("unknown"),
    }
    verdict = Verdict()
    judge_rule_book(verdict, ledger, stored)
    assert verdict.forgotten == {"other", "gone", "deleted", "unknown"}


def letter(**fields: str) -> DeadLetter:
    return DeadLetter("1-1", "max_deliveries", "", "1-0", fields)


def test_dead_letters_are_all_the_poison_and_nothing_else() -> None:
    ledger = Ledger(poison={"p1", "p2"}, poison_events={"e1", "e2"}, malformed={"m1", "m2"})
    whole = [
        letter(entity_id="p1", event_id="e1"),
        letter(entity_id="p2", event_id="e2"),
        letter(**{MARK: "m1"}),
        letter(**{MARK: "m2", "entity_id": "t-1"}),
    ]
    verdict = Verdict()
    judge_dead_letters(verdict, ledger, whole)
    assert verdict.clean
    judge_dead_letters(verdict, ledger, [*whole[::2], letter(entity_id="t-1", event_id="e3")])
    assert verdict.poison_missing == {"p2", "e2", "m2"}
    assert verdict.healthy_dead == {"t-1 (max_deliveries)"}
