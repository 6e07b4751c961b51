from __future__ import annotations

from datetime import UTC, datetime

from explanation_service.content.events import ContentEvent
from explanation_service.indexing.in_hand import InHand, Request
from explanation_service.stores.records import Delivery


def request(entry_id: str, template_id: str = "x", times: int = 1, repair: bool = False) -> Request:
    event = ContentEvent(
        event_id="e",
        entity_id=template_id,
        op="upsert",
        version=1,
        occurred_at=datetime.now(UTC),
        repair=repair,
    )
    return Request(Delivery(entry_id, event.to_fields(), times), event)


def test_events_of_one_template_are_one_work() -> None:
    in_hand = InHand()
    works = in_hand.admit([request("1"), request("2"), request("3", "y")])
    assert [(work.template_id, len(work.requests)) for work in works] == [("x", 2), ("y", 1)]
    assert in_hand.admit([request("4")]) == []
    assert sorted(in_hand.entry_ids()) == ["1", "2", "3", "4"]


def test_an_entry_that_comes_twice_is_kept_once() -> None:
    in_hand = InHand()
    (work,) = in_hand.admit([request("1")])
    in_hand.admit([request("1", times=2)])
    assert len(work.requests) == 1 and work.careful


def test_what_came_in_meanwhile_keeps_the_template_in_hand() -> None:
    in_hand = InHand()
    (work,) = in_hand.admit([request("1")])
    answered = list(work.requests)
    in_hand.admit([request("2")])
    assert not in_hand.settle(work, answered)
    assert in_hand.entry_ids() == ["2"]
    assert in_hand.settle(work, work.requests)
    assert len(in_hand) == 0


def test_lost_leases_abandon_a_work_until_somebody_asks_again() -> None:
    in_hand = InHand()
    (work,) = in_hand.admit([request("1")])
    in_hand.lose(["1"])
    assert work.abandoned
    in_hand.admit([request("2")])
    assert not work.abandoned


def test_a_released_work_does_not_take_its_successor_along() -> None:
    in_hand = InHand()
    (first,) = in_hand.admit([request("1")])
    in_hand.release(first)
    (second,) = in_hand.admit([request("2")])
    in_hand.release(first)
    assert in_hand.admit([request("3")]) == [] and len(second.requests) == 2


def test_a_repair_trusts_nothing_that_the_index_says() -> None:
    in_hand = InHand()
    (work,) = in_hand.admit([request("1")])
    assert not work.careful and not work.overwrote
    in_hand.admit([request("2", repair=True)])
    assert work.careful and work.overwrote
